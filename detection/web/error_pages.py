"""Error responses outside of views: `{"error": sentence}` for programs, a page for people."""

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.deprecation import MiddlewareMixin
from django.views import defaults

from detection.errors import FAILED, NOT_FOUND, describe, error_body, headers_for
from detection.i18n.error_messages import sentence_of
from detection.web.negotiation import REFUSED, wants_page
from detection.web.serializers import to_json

_UNKNOWN_HOST = "This server does not answer under that host name. Use its own, or add this one to ALLOWED_HOSTS."
_UNREADABLE = "The request cannot be read. Compare it with the API's description and send it again."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400, for requests that Django refuses before a view."""
    if wants_page(request):
        return defaults.bad_request(request, exception)
    return _answer(400, _UNKNOWN_HOST if isinstance(exception, DisallowedHost) else _UNREADABLE)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, for unknown addresses."""
    return defaults.page_not_found(request, exception) if wants_page(request) else _answer(404, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500; Django has logged the traceback."""
    return defaults.server_error(request) if wants_page(request) else _answer(500, FAILED)


class RefusedMiddleware(MiddlewareMixin):
    """Page for requests that `detection/asgi/body_limits.py` has refused, in the language of the reader."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer before anything reads the body, which is still unread."""
        reason = getattr(request, "scope", {}).get(REFUSED)
        if reason is None:
            return None
        status, _ = describe(reason) or (400, "")
        page = loader.get_template("refused.html").render({"code": status, "sentence": sentence_of(reason)})
        return HttpResponse(page, status=status, headers=headers_for(status, reason))


def _answer(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(to_json(error_body(sentence)), status=status, content_type="application/json")
