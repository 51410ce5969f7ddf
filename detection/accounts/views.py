"""Login pages (ACCESS=login)."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from detection.accounts import throttling
from detection.errors import ThrottledError, headers_for
from detection.i18n.error_messages import sentence_of


class LoginForm(AuthenticationForm):
    """Django's login form, with error messages that say what to do."""

    error_messages = {
        "invalid_login": _("Wrong user name or password. Both are case-sensitive."),
        "inactive": _("This account was closed. Ask the server's operator."),
    }


class StaffLoginForm(AdminAuthenticationForm):
    """Login form of the admin, with the same limit on attempts."""

    def clean(self) -> dict[str, Any]:
        """Raise ValidationError after too many attempts, before the password is checked."""
        try:
            throttling.take_login(_address(self.request), str(self.cleaned_data.get("username", "")))
        except ThrottledError as error:
            raise ValidationError(sentence_of(error)) from error
        return super().clean()


@method_decorator(sensitive_post_parameters(), name="dispatch")
class LoginView(views.LoginView):
    """Login page, with a limit on attempts."""

    template_name = "detection/accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log in; too many attempts are answered with 429."""
        try:
            throttling.take_login(_address(request), request.POST.get("username", ""))
        except ThrottledError as error:
            form = self.get_form_class()(request)
            context = self.get_context_data(form=form, error=sentence_of(error))
            return self.render_to_response(context, status=429, headers=headers_for(429, error))
        return super().post(request, *args, **kwargs)


def _address(request: HttpRequest | None) -> str:
    return "" if request is None else str(request.META.get("REMOTE_ADDR", ""))
