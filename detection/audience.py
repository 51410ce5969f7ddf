"""Whom an answer that no view gives is for: a program, which reads JSON, or a browser, which shows a page."""

from django.http import HttpRequest

from detection.language import is_for_programs

_PAGE, _JSON = "text/html", "application/json"
_READING = frozenset({"GET", "HEAD"})


def wants_page(request: HttpRequest) -> bool:
    """Whether to answer with a page: outside of the API, to who takes HTML before JSON.

    What is sent (POST and the like) gets one only where the caller names text/html, as browsers do: programs often
    accept anything.
    """
    if is_for_programs(request):
        return False
    names_it = any((kind.main_type, kind.sub_type) == ("text", "html") for kind in request.accepted_types)
    return (names_it or request.method in _READING) and request.get_preferred_type([_PAGE, _JSON]) == _PAGE
