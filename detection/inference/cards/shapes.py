"""Inference of a declaration for an export that no preset fits, from the shapes of its outputs and from the numbers
that a photo gives.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from detection.inference.cards.draft import Draft
from detection.inference.cards.evidence import Evidence
from detection.inference.types import FloatArray

_BOX = 4
_LARGEST_FRACTION = 2.0
_NEARLY_ALL, _HARDLY_ANY = 0.98, 0.9
_SUM = 0.01
# A set predictor has a few hundred rows, a dense one thousands, which need suppression.
_DENSE_ROWS = 1000
_NMS = 0.6


def infer(evidence: Evidence) -> Draft:
    """Return a draft of the family `declared`, which says nothing about how photos are scaled.

    Raises ValueError with the reason where the shapes or the numbers leave a choice.
    """
    if not evidence.seen:
        raise ValueError("it could not be run on a photo, which tells what its numbers mean")
    if len(evidence.seen) == 1:
        return _of_one(evidence, *evidence.only_output)
    if all(len(axes) == 4 for axes in evidence.outputs.values()):  # noqa: PLR2004 batch, numbers, height, width
        raise ValueError(
            "its outputs are maps, level by level. Where their numbers are relative to anchors, only its own code "
            "decodes them: export it with that (EfficientDet: DetBenchPredict). Distances from cells are listed in a "
            "card written by hand: boxes = [...], scores = [...], strides"
        )
    boxes = [name for name, axes in evidence.outputs.items() if axes[-1:] == (_BOX,)]
    others = [name for name in evidence.outputs if name not in boxes]
    if len(boxes) != 1 or len(others) > 2:  # noqa: PLR2004 scores and labels
        raise ValueError(f"{len(boxes)} of its outputs have the four columns of a box, and {len(others)} have not")
    return _of_several(evidence, boxes[0], others)


def _of_one(evidence: Evidence, name: str, axes: tuple[int, ...]) -> Draft:
    """Infer from a single output with boxes and classes side by side."""
    matrix = evidence.seen[name].reshape(axes[1:]) if len(axes) == 3 else evidence.seen[name]  # noqa: PLR2004
    if matrix.ndim != 2:  # noqa: PLR2004 a matrix
        raise ValueError(f"its output has the axes {axes}, and a list of boxes has three")
    meanings = {_BOX + evidence.classes, _BOX + 1 + evidence.classes}
    turned = matrix.shape[0] in meanings
    if turned and matrix.shape[1] in meanings:
        raise ValueError(f"both axes of its output {axes} could be box and classes")
    table = np.asarray(matrix.T if turned else matrix, np.float32)
    decoding, why = _columns(name, table, evidence)
    decoding |= {"turned": True} if turned else {}
    decoding |= {} if len(axes) == 3 else {"batched": False}  # noqa: PLR2004 batch, rows, columns
    return Draft("declared", decoding, None, tuple(why))


def _columns(name: str, table: FloatArray, evidence: Evidence) -> tuple[dict[str, Any], list[str]]:
    rows, columns = table.shape
    box, why = _box(table[:, :_BOX], evidence)
    decoding: dict[str, Any] = {"boxes": f"{name}[0:4]", **box}
    whole = [column for column in range(_BOX, columns) if _is_whole(table[:, column])]
    if columns == _BOX + 2 and len(whole) == 1:
        label = whole[0]
        score = 2 * _BOX + 1 - label
        _require_first_class(table[table[:, score] > 0, label])
        why.append(f"column {label} has whole numbers, the classes, and column {score} the scores")
        return decoding | {"scores": f"{name}[{score}]", "labels": f"{name}[{label}]"}, why
    if columns == _BOX + evidence.classes:
        why.append(f"{columns} columns are a box and {evidence.classes} classes")
        decoding |= {"scores": f"{name}[4:]", **_activation(table[:, _BOX:])}
    elif columns == _BOX + 1 + evidence.classes:
        decoding |= _with_one_more(name, table, why)
    else:
        raise ValueError(
            f"its {columns} columns are neither 4 nor 5 more than the {evidence.classes} classes that are named"
        )
    return decoding | _suppression(rows, why), why


def _with_one_more(name: str, table: FloatArray, why: list[str]) -> dict[str, Any]:
    """Infer whether the one more column is an objectness or a class that stands for nothing."""
    rest = table[:, _BOX:]
    activation = _activation(rest)
    if not activation and np.abs(rest.sum(axis=1) - 1).max() < _SUM:
        background = _background(rest)
        why.append(f"the {rest.shape[1]} columns after the box add up to 1: one more than classes, for nothing")
        return {"scores": f"{name}[4:]", "background": background}
    why.append("the column after the box is an objectness")
    return {"objectness": f"{name}[4]", "scores": f"{name}[5:]", **activation}


def _of_several(evidence: Evidence, boxes: str, others: Sequence[str]) -> Draft:
    table = np.asarray(evidence.seen[boxes], np.float32).reshape(-1, _BOX)
    box, why = _box(table, evidence)
    batched = evidence.seen[boxes].ndim > 2  # noqa: PLR2004 a matrix has no batch
    decoding: dict[str, Any] = {"boxes": boxes, **box} | ({} if batched else {"batched": False})
    flat = {
        name: np.asarray(evidence.seen[name], np.float32).reshape(len(table), -1)
        for name in others
        if _fits(evidence, name, table)
    }
    if len(flat) != len(others):
        raise ValueError(f"its outputs {', '.join(others)} have other numbers of rows than {boxes}")
    if len(others) == 1:
        return _with_scores(decoding, others[0], flat[others[0]], evidence, why)
    labels = [name for name in others if name in evidence.signature.integers or _is_whole(flat[name])]
    if len(labels) != 1 or any(array.shape[1] != 1 for array in flat.values()):
        raise ValueError(f"it is not plain which of {', '.join(others)} has the classes")
    (scores,) = set(others) - set(labels)
    _require_first_class(flat[labels[0]])
    why.append(f"{labels[0]} has whole numbers, the classes, and {scores} one score each")
    return Draft("declared", decoding | {"scores": scores, "labels": labels[0]}, None, tuple(why))


def _require_first_class(labels: FloatArray) -> None:
    lowest = labels.min(initial=np.inf)
    if not np.isfinite(lowest) or lowest > 0:
        raise ValueError(
            "it is not plain whether its classes start at 0: none of that number was found in a photo. In a card "
            "written by hand that is `first_label` under [decoding], 0 or 1 (EfficientDet's DetBenchPredict: 1)"
        )


def _fits(evidence: Evidence, name: str, table: FloatArray) -> bool:
    return bool(len(table)) and evidence.seen[name].size % len(table) == 0


def _with_scores(decoding: dict[str, Any], name: str, scores: FloatArray, evidence: Evidence, why: list[str]) -> Draft:
    columns = scores.shape[1]
    activation = _activation(scores)
    if columns == evidence.classes:
        why.append(f"{name} has a column for each of {columns} classes")
    elif columns == evidence.classes + 1:
        activation = {"activation": "softmax"} if activation else {}
        decoding["background"] = _background(scores)
        why.append(f"{name} has one column more than classes, the {decoding['background']} one for nothing")
    else:
        raise ValueError(f"{name} has {columns} columns, and {evidence.classes} classes are named")
    rows = len(scores)
    return Draft("declared", decoding | {"scores": name, **activation} | _suppression(rows, why), None, tuple(why))


def _box(table: FloatArray, evidence: Evidence) -> tuple[dict[str, Any], list[str]]:
    """Infer unit and form of boxes (K, 4) from their numbers."""
    used = table[np.abs(table).sum(axis=1) > 0]
    if not len(used):
        raise ValueError("its boxes are all 0 on a photo, which tells nothing about them")
    middle = float(np.median(np.abs(used)))
    unit = "fraction" if middle <= _LARGEST_FRACTION else "pixel"
    edge = max(evidence.size_wh)
    if unit == "pixel" and used.max() < edge / 4:
        raise ValueError(
            f"its boxes are neither fractions nor pixels of {edge}: they may be relative to cells or anchors"
        )
    corners = float(((used[:, 2] >= used[:, 0]) & (used[:, 3] >= used[:, 1])).mean())
    if _HARDLY_ANY < corners < _NEARLY_ALL:
        raise ValueError("it is not plain whether its boxes are corners or centre and size")
    form = "xyxy" if corners >= _NEARLY_ALL else "cxcywh"
    shown = "corners" if form == "xyxy" else "centre and size"
    return {"box": form, "unit": unit}, [
        f"boxes on a photo are {unit}s (the middle one of their numbers is {middle:.3g}), {shown}"
    ]


def _activation(scores: FloatArray) -> dict[str, Any]:
    """Return the sigmoid for numbers that are no probabilities."""
    return {} if 0 <= scores.min() <= scores.max() <= 1 else {"activation": "sigmoid"}


def _background(scores: FloatArray) -> str:
    """Return at which end the column is that most rows are most sure of. Raises ValueError where neither is."""
    places = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    best = int(places.argmax())
    if best not in {0, scores.shape[1] - 1}:
        raise ValueError("it is not plain which of its columns stands for nothing")
    return "first" if best == 0 else "last"


def _suppression(rows: int, why: list[str]) -> dict[str, Any]:
    if rows < _DENSE_ROWS:
        return {}
    why.append(f"{rows:,} rows for one photo need suppression")
    return {"nms": _NMS}


def _is_whole(values: FloatArray) -> bool:
    return bool(values.size) and bool((values == np.round(values)).all()) and bool(values.max() > 0 or values.size > 1)
