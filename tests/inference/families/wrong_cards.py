"""Wrong cards for the layouts of `trained.py`: each differs from the right one in what people get wrong."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from detection.inference.network import Network

CHOICES: dict[str, tuple[Any, ...]] = {
    "box": ("xyxy", "yxyx", "cxcywh"),
    "unit": ("pixel", "fraction"),
    "activation": ("none", "sigmoid", "softmax"),
    "background": ("", "first", "last"),
    "first_label": (0, 1, 2),
}
_REFERENCES = ("boxes", "scores", "labels", "objectness")


Card = tuple[str, dict[str, Any], Callable[[Network], Network]]


def wrong_cards(right: dict[str, Any], outputs: Collection[str]) -> Iterator[Card]:
    """Yield what is wrong, the `[decoding]`, and what else the card says another of."""
    for cards in (_wrong_in_one(right, outputs), _wrong_in_two(right), _of_another_form(right)):
        for what, decoding in cards:
            yield what, decoding, lambda network: network
    for what, change in _OTHER_NETWORKS.items():
        yield what, right, change


def _wrong_in_one(right: dict[str, Any], outputs: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _others(reference: Any, outputs: Collection[str]) -> list[str]:
    """The columns before and after, or the other outputs."""
    if not reference or isinstance(reference, tuple):
        return []
    output, bracket, _ = reference.partition("[")
    if not bracket:
        return [each for each in outputs if each not in {output, "count"}]
    return [_moved(reference, by) for by in (-1, 1)]


def _wrong_in_two(right: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield cards with two keys wrong, and those whose every column is one further, as behind a column of batches."""
    keys = [key for key in CHOICES if key not in {"box", "unit"} or key in right]
    for one, other in combinations(keys, 2):
        if {one, other} == {"box", "unit"}:
            continue
        for first, second in product(
            *(_without(CHOICES[key], right.get(key, CHOICES[key][0])) for key in (one, other))
        ):
            yield f"{one} = {first!r}, {other} = {second!r}", {**right, one: first, other: second}
    for by in (-1, 1):
        moved = {key: _moved(right[key], by) for key in _REFERENCES if key in right}
        if any(value != right[key] for key, value in moved.items()):
            yield f"all columns by {by}", {**right, **moved}


def _of_another_form(right: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield cards that take the outputs for those of another kind of network."""
    if "labels" in right:
        yield "scores and labels exchanged", {**right, "scores": right["labels"], "labels": right["scores"]}
        yield "no labels", {key: value for key, value in right.items() if key not in {"labels", "first_label"}}
    elif isinstance(right["scores"], str):
        output = right["scores"].partition("[")[0]
        first = int((re.findall(r"\d+", right["scores"].partition("[")[2]) or ["0"])[0])
        yield "score and label", {**right, "scores": f"{output}[{first}]", "labels": f"{output}[{first + 1}]"}
        if "objectness" not in right:
            yield "an objectness", {**right, "objectness": f"{output}[{first}]", "scores": f"{output}[{first + 1}:]"}
    if "strides" not in right:
        for box in ("cxcywh", "ltrb"):
            yield f"{box} in strides", {**right, "box": box, "unit": "stride", "strides": (8, 16, 32, 64)}
    else:
        plain = {key: value for key, value in right.items() if key not in {"strides", "offset"}}
        for box, unit in product(("xyxy", "yxyx", "cxcywh"), ("pixel", "fraction")):
            yield f"{box} in {unit}s, no strides", {**plain, "box": box, "unit": unit}
        yield "strides reversed", {**right, "strides": right["strides"][::-1]}
        yield "strides doubled", {**right, "strides": tuple(2 * each for each in right["strides"])}
    for key in ("boxes", "scores"):
        if isinstance(right[key], tuple):
            yield f"levels of {key} reversed", {**right, key: right[key][::-1]}


# What a card says beside `[decoding]`: how many classes it names, and how large the network's input is.
_OTHER_NETWORKS: Mapping[str, Callable[[Network], Network]] = {
    "a class too few": lambda network: replace(network, classes=network.classes[:-1]),
    "a class too many": lambda network: replace(network, classes=(*network.classes, "one more")),
    "input half as large": lambda network: replace(network, size_wh=_scaled(network, 0.5)),
    "input twice as large": lambda network: replace(network, size_wh=_scaled(network, 2)),
}


def _scaled(network: Network, by: float) -> tuple[int, int]:
    width, height = network.size_wh
    return round(width * by), round(height * by)


def _moved(reference: Any, by: int) -> Any:
    if isinstance(reference, tuple):
        return tuple(_moved(each, by) for each in reference)
    output, bracket, columns = reference.partition("[")
    return output + bracket + re.sub(r"\d+", lambda number: str(int(number.group()) + by), columns)
