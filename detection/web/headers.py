"""Headers of every response that Django makes: what its own pages may use, who may embed it, how long it is kept."""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

_HEADERS = {
    # The page of live detection uses the camera.
    "Permissions-Policy": "camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Pages show what their reader may see. What may be kept for longer has its own header.
    "Cache-Control": "private, no-cache",
}


class OwnPagesMiddleware(MiddlewareMixin):
    """Middleware that adds the headers which a response does not have yet."""

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add them."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response
