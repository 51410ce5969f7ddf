"""Query strings of lists: an unknown filter would select everything, so programs get an error.

Pages ignore unknown parameters: links from elsewhere carry some for tracking.
"""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.settings import api_settings

from detection.errors import RequestError
from detection.inference.tiles.grid import CHOICES


def decode_query(raw: bytes) -> dict[str, str]:
    """Return the parameters of a query string as ASGI hands it over; the last of several values counts, as in Django's
    `QueryDict`.
    """
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))


def refuse_unknown(query: Iterable[str], known: Iterable[str]) -> None:
    """Raise RequestError for the first unknown name in a query string.

    DRF's own `format`, which names a renderer, is always known.
    """
    names = list(known)
    for name in query:
        if name not in names and name != api_settings.URL_FORMAT_OVERRIDE:
            raise RequestError(f"There is no parameter {name!r} here. Use {', '.join(names)}, or leave it out.")


THRESHOLD_PARAMETER = OpenApiParameter(
    "threshold", OpenApiTypes.FLOAT, description="Objects with a probability above it, 0 to 1, are reported."
)


MODEL_PARAMETER = OpenApiParameter(
    "model",
    OpenApiTypes.STR,
    description="One of `GET /api/models`, or NAME@VERSION; left out: the one that answers by default.",
)


TILES_PARAMETER = OpenApiParameter(
    "tiles",
    OpenApiTypes.STR,
    enum=CHOICES,
    description="Tiles a side that are looked at beside the whole photo, for small objects: each costs a run of the "
    "network. `auto`: by the photo's pixels; left out: as the model's card says.",
)


T = TypeVar("T")


_TILES = {choice: choice for choice in CHOICES}
_BOOLEANS = {"0": False, "false": False, "1": True, "true": True}


def parse_threshold(query: Mapping[str, str]) -> float | None:
    """Return `threshold` as a number in [0, 1], None when absent. Raises RequestError."""
    raw = query.get("threshold")
    if raw is None:
        return None
    try:
        threshold = float(raw)
    except ValueError:
        threshold = math.nan
    if not 0.0 <= threshold <= 1.0:
        raise RequestError(f"threshold is {raw!r}; set it to a number from 0 to 1, or leave it out.")
    return threshold


def parse_tiles(query: Mapping[str, str]) -> str:
    """Return `tiles`, "" when absent. Raises RequestError."""
    return parse_choice(query, "tiles", _TILES, "")


def parse_whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, `default` when absent. Raises RequestError."""
    raw = query.get(name)
    if raw is None:
        return default
    if not (raw.isascii() and raw.isdecimal()) or len(raw) > len(str(high)) or not low <= int(raw) <= high:
        raise RequestError(f"{name} is {raw[:20]!r}; set it to a whole number from {low} to {high}, or leave it out.")
    return int(raw)


def parse_flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Parse a parameter that is 1 or true, 0 or false, or absent. Raises RequestError."""
    return parse_choice(query, name, _BOOLEANS, default)


def parse_choice(query: Mapping[str, str], name: str, choices: Mapping[str, T], default: T) -> T:
    """Return the value of a parameter by a table of its texts, or the default when absent. Raises RequestError."""
    raw = query.get(name)
    if raw is None:
        return default
    if raw not in choices:
        raise RequestError(f"{name} is {raw!r}; set it to one of {', '.join(choices)}, or leave it out.")
    return choices[raw]
