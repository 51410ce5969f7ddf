"""Parts of a card that follow from an exporter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNIT = {"std": [255, 255, 255]}
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
LETTERBOX = {"fit": "letterbox", "pad": 114}


@dataclass(frozen=True, slots=True)
class Draft:
    """Content of a card that follows from the exporter.

    input: keys of `[input]` beside the size; None where nothing says how photos are scaled. reasons: why, in clauses
    for people.
    """

    family: str
    decoding: Mapping[str, Any]
    input: Mapping[str, Any] | None
    reasons: tuple[str, ...] = ()
