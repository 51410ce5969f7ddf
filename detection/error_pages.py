"""Errors that no view answers: `{"error": sentence}` for programs, a page for people."""

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from detection.errors import FAILED, NOT_FOUND, error_body
from detection.language import is_for_programs
from detection.serializers import to_json

_UNKNOWN_HOST = "This server does not answer under that host name. Use its own, or add this one to ALLOWED_HOSTS."
_UNREADABLE = "The request cannot be read. Compare it with the API's description and send it again."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, for what Django refuses before a view sees it."""
    if not is_for_programs(request):
        return defaults.bad_request(request, exception)
    return _answer(400, _UNKNOWN_HOST if isinstance(exception, DisallowedHost) else _UNREADABLE)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, for addresses that no view has."""
    return _answer(404, NOT_FOUND) if is_for_programs(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; Django has logged the traceback."""
    return _answer(500, FAILED) if is_for_programs(request) else defaults.server_error(request)


def _answer(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(to_json(error_body(sentence)), status=status, content_type="application/json")
