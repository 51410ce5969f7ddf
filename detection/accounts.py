"""Logging in, for people (ACCESS=login)."""

from typing import Any

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from detection import throttle
from detection.errors import ThrottledError, headers_for
from detection.sentences import sentence_of


class NameAndPassword(AuthenticationForm):
    """Django's form, with sentences that say what to do."""

    error_messages = {
        "invalid_login": _("The name and the password do not belong together. Try again; both mind capital letters."),
        "inactive": _("This account was closed. Ask the server's operator."),
    }


@method_decorator(sensitive_post_parameters(), name="dispatch")
class LoginView(views.LoginView):
    """Name and password; whoever tries too often has to wait."""

    template_name = "detection/login.html"
    authentication_form = NameAndPassword
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raises nothing: too many attempts are answered with 429."""
        try:
            throttle.take_login(str(request.META.get("REMOTE_ADDR", "")))
        except ThrottledError as error:
            form = self.get_form_class()(request)
            context = self.get_context_data(form=form, error=sentence_of(error))
            return self.render_to_response(context, status=429, headers=headers_for(429, error))
        return super().post(request, *args, **kwargs)
