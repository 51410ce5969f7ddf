"""Wrong cards for the layouts of `trained.py`: each differs from the right one in what people get wrong."""

import re
from collections.abc import Collection, Iterator
from itertools import product
from typing import Any

CHOICES: dict[str, tuple[Any, ...]] = {
    "box": ("xyxy", "yxyx", "cxcywh"),
    "unit": ("pixel", "fraction"),
    "activation": ("none", "sigmoid", "softmax"),
    "background": ("", "first", "last"),
    "first_label": (0, 1, 2),
}
_REFERENCES = ("boxes", "scores", "labels", "objectness")


def wrong_cards(right: dict[str, Any], outputs: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is wrong, and the `[decoding]`."""
    for key, choices in CHOICES.items():
        for value in _without(choices, right.get(key, choices[0])):
            yield f"{key} = {value!r}", {**right, key: value}
    boxes, units = (_without(CHOICES[key], right.get(key, CHOICES[key][0])) for key in ("box", "unit"))
    for box, unit in product(boxes, units):
        yield f"{box} in {unit}s", {**right, "box": box, "unit": unit}
    yield "turned", {**right, "turned": not right.get("turned", False)}
    for key in ("objectness", "count", "class_ids"):
        if key in right:
            yield f"no {key}", {name: value for name, value in right.items() if name != key}
    if "class_ids" in right:
        yield "class_ids without gaps", {**right, "class_ids": tuple(range(len(right["class_ids"])))}
        yield "class_ids from 0", {**right, "class_ids": tuple(each - 1 for each in right["class_ids"])}
    for key in _REFERENCES:
        for reference in _others(right.get(key, ""), outputs):
            yield f"{key} = {reference}", {**right, key: reference}


def _without(choices: tuple[Any, ...], own: Any) -> list[Any]:
    return [each for each in choices if each != own]


def _others(reference: str, outputs: Collection[str]) -> list[str]:
    """The columns before and after, or the other outputs."""
    if not reference:
        return []
    output, bracket, columns = reference.partition("[")
    if not bracket:
        return [each for each in outputs if each not in {output, "count"}]
    return [
        output + bracket + re.sub(r"\d+", lambda number, by=by: str(int(number.group()) + by), columns)  # type: ignore[misc]
        for by in (-1, 1)
    ]
