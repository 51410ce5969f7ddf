"""Middleware for the text of requests: all of it is UTF-8, whatever Content-Type says, and can be stored.

Django decodes forms and query strings by the charset of the Content-Type, which may name any codec of Python: with some
(idna, hex) nothing can be decoded, with others a response cannot be encoded. Query strings and multipart forms have no
charset of their own (RFC 3986, RFC 7578), and JSON is UTF-8 (RFC 8259).
"""

from typing import Any, cast

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.deprecation import MiddlewareMixin

from detection.i18n.language import is_for_programs
from detection.web.error_pages import bad_request
from detection.web.text import is_storable

_UNSTORABLE = SuspiciousOperation("The request has a character that cannot be stored.")


class Utf8Middleware(MiddlewareMixin):
    """Middleware that removes the charset of a request's Content-Type."""

    def process_request(self, request: HttpRequest) -> None:
        """Remove it before the request is decoded."""
        if request.encoding is not None:
            cast("Any", request).encoding = None


class StorableTextMiddleware(MiddlewareMixin):
    """Middleware that refuses addresses and forms with text that a database cannot hold.

    Once for all views, filters and admin pages. JSON is checked where it is read (`detection/web/json_body.py`).
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer 400 for such an address."""
        return None if _is_storable(request.GET) else bad_request(request, _UNSTORABLE)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Answer 400 for such a form. Programs send JSON or photos, which are not read here."""
        if request.method != "POST" or is_for_programs(request):
            return None
        return None if _is_storable(request.POST) else bad_request(request, _UNSTORABLE)


def _is_storable(given: QueryDict) -> bool:
    return all(is_storable(name) and all(map(is_storable, values)) for name, values in given.lists())
