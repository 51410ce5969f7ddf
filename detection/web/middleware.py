"""Ignores the charset of Content-Type: all text is UTF-8.

Django decodes forms and query strings by the charset of the Content-Type, which may name any codec of Python: with some
(idna, hex) nothing can be decoded, with others a response cannot be encoded. Query strings and multipart forms have no
charset of their own (RFC 3986, RFC 7578), and JSON is UTF-8 (RFC 8259).
"""

from typing import Any, cast

from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class Utf8Middleware(MiddlewareMixin):
    """Middleware that removes the charset of a request's Content-Type."""

    def process_request(self, request: HttpRequest) -> None:
        """Remove it before the request is decoded."""
        if request.encoding is not None:
            cast("Any", request).encoding = None
