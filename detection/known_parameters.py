"""Query strings of lists: a filter that is misspelt would choose everything, so programs are told of it.

Pages ignore what they do not know: links from elsewhere carry parameters that count visitors.
"""

from collections.abc import Iterable

from rest_framework.settings import api_settings

from detection.errors import RequestError


def refuse_unknown(query: Iterable[str], known: Iterable[str]) -> None:
    """Raises RequestError for the first name in a query string that is not one of the known ones.

    DRF's own `format`, which names a renderer, is known everywhere.
    """
    names = list(known)
    for name in query:
        if name not in names and name != api_settings.URL_FORMAT_OVERRIDE:
            raise RequestError(f"There is no parameter {name!r} here. Use {', '.join(names)}, or leave it out.")
