"""Addresses of the API, with or without a slash at their end."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import is_valid_path
from django.utils.deprecation import MiddlewareMixin

from detection.i18n.language import PROGRAMS

_PROGRAMS = (*PROGRAMS, "/v2", "/info", "/healthz", "/readyz", "/metrics")


class ApiAddressMiddleware(MiddlewareMixin):
    """Middleware that serves an address of the API that misses its last slash, or has one too many.

    A redirect would lose the body of a POST. Pages are redirected by Django.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Take the address that exists for the one that does not."""
        path = request.path_info
        if not path.startswith((*_PROGRAMS, settings.DETECTOR.rest_entry_point)) or is_valid_path(path):
            return
        other = path[:-1] if path.endswith("/") else f"{path}/"
        if is_valid_path(other):
            request.path_info = other
            request.path = f"{request.path.removesuffix(path)}{other}"
