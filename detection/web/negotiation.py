"""Content negotiation: the formats in which the server answers."""

from collections.abc import Iterable

from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from detection.i18n.language import is_for_programs


class LenientNegotiation(DefaultContentNegotiation):
    """Negotiation that prefers the accepted formats, and falls back to the available ones.

    RFC 9110, section 12.5.1, leaves both to the server. A refusal would turn away `Accept: image/jpeg` for a photo, and
    the programs that were written for the 2019 service, which ignored the header.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return a renderer and its media type; never raises NotAcceptable."""
        ours = list(renderers)
        try:
            renderer, media_type = super().select_renderer(request, ours, format_suffix)
        except NotAcceptable:
            renderer, media_type = ours[0], str(ours[0].media_type)
        return renderer, media_type


# The key in the scope of the reason for a refusal that is shown as a page.
REFUSED = "detector.refused"


_PAGE, _JSON = "text/html", "application/json"


_READING = frozenset({"GET", "HEAD"})


def wants_page(request: HttpRequest) -> bool:
    """Return whether to answer with a page: outside of the API, to clients that prefer HTML to JSON.

    Requests with a body (POST and the like) get one only where the caller names text/html, as browsers do: programs
    often accept anything.
    """
    if is_for_programs(request):
        return False
    names_it = any((kind.main_type, kind.sub_type) == ("text", "html") for kind in request.accepted_types)
    return (names_it or request.method in _READING) and request.get_preferred_type([_PAGE, _JSON]) == _PAGE
