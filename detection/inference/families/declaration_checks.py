"""Checks of a network's outputs against its declaration: names, columns, values, and the sizes of the numbers."""

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.base import cells_of, describe, require_labels, require_probabilities, softmax
from detection.inference.families.columns import Columns, as_table, read_columns
from detection.inference.families.declaration import Declaration, Layout, layout_of
from detection.inference.network import Network
from detection.inference.types import FloatArray

_BOX_COLUMNS = 4
_ONE_COLUMN = ("labels", "objectness", "count")
# Fractions of the input are below, pixels of any photo above, in the median.
_LARGEST_FRACTION = 2.0
# From so many rows on, what nearly all of them have in common is a rule.
_ENOUGH_ROWS = 20
_FEW, _NEARLY_ALL, _CORNERS = 0.2, 0.9, 0.98
_LARGEST_SIZE = 1.1
_SCORED = 0.05
# A class that is likelier than this nearly everywhere is not one of objects; its logit.
_UNSURE, _UNSURE_LOGIT = 0.3, -0.85
# Networks with a row for each cell. How far the places of their boxes go along with those of the cells, at least.
_COMMON_STRIDES = ((8, 16, 32), (8, 16, 32, 64))
_TOGETHER = 0.6


def require_declared(declaration: Declaration, outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when an output is missing, its columns are not there or do not fit the classes, or scores
    and labels cannot be such.
    """
    layout = layout_of(declaration)
    _require_columns(layout, outputs, network)
    tables = _tables(layout, outputs)
    _require_counts(declaration, layout, {key: table.shape[1] for key, table in tables.items()}, network)
    _require_rows({key: len(table) for key, table in tables.items() if key != "count"}, network)
    if "count" in tables and not 0 <= tables["count"][0, 0] <= len(tables["boxes"]):
        _refuse(network, f"`count` is {tables['count'][0, 0]:g}, and there are {len(tables['boxes'])} rows", "count")
    if declaration.strides:
        _require_cells(declaration, len(tables["boxes"]), network)
        _require_levels(declaration, layout, outputs, network)
    used = _used(tables)
    if declaration.activation == "none":
        for key in ("scores", "objectness"):
            if key in tables:
                require_probabilities(tables[key][used], network)
    if "labels" in tables and not declaration.class_ids:
        labels = tables["labels"][used] - np.float32(declaration.first_label)
        require_labels(labels, network, len(network.classes))
    if "labels" in tables and (tables["labels"][used] != np.round(tables["labels"][used])).any():
        _refuse(network, "`labels` has numbers that are not whole, so they are no classes", "labels, or scores")


def _require_cells(declaration: Declaration, rows: int, network: Network) -> None:
    width, height = network.size_wh
    cells = sum(-(-width // stride) * -(-height // stride) for stride in declaration.strides)
    if rows != cells:
        _refuse(network, f"it has {rows} rows, and the input has {cells} cells of these strides", "strides, or unit")


def _require_levels(declaration: Declaration, layout: Layout, outputs: Outputs, network: Network) -> None:
    """Refuse levels in another order than their strides."""
    for key in ("boxes", "scores"):
        levels = layout.by_key[key]
        for level, stride in zip(levels, declaration.strides, strict=False) if len(levels) > 1 else ():
            rows = len(read_columns(outputs, (level,), layout.turned))
            cells = len(cells_of(network.size_wh, (stride,))[1])
            if rows != cells:
                what = f"{level.output} has {rows} rows, and the input has {cells} cells of {stride} pixels"
                _refuse(network, what, f"{key}, or strides")


def _tables(layout: Layout, outputs: Outputs) -> dict[str, FloatArray]:
    return {key: read_columns(outputs, wanted, layout.turned) for key, wanted in layout.by_key.items()}


def _used(tables: dict[str, FloatArray]) -> NDArray[np.bool_]:
    """Return which rows are in use (rows,): those within `count` whose label is not below 0, which is padding."""
    used = np.ones(len(tables["scores"]), dtype=bool)
    if "count" in tables:
        used[int(tables["count"][0, 0]) :] = False
    if "labels" in tables:
        used &= tables["labels"][:, 0] >= 0
    return used


def _require_columns(layout: Layout, outputs: Outputs, network: Network) -> None:
    shapes = {name: array.shape for name, array in outputs.items()}
    for key, wanted in layout.by_key.items():
        for each in wanted:
            if each.output not in shapes:
                _refuse(network, f"`{key}` is the output {each.output}, and its outputs are {describe(shapes)}", key)
            columns = as_table(outputs[each.output], turned=each.output in layout.turned).shape[1]
            if not each.within(columns):
                has = f"{each.output} {shapes[each.output]} has {columns} of them"
                _refuse(network, f"`{key}` is {_columns(each)}, and {has}", key)


def _columns(wanted: Columns) -> str:
    return f"the columns {wanted.first} to {'the last' if wanted.end is None else wanted.end - 1} of {wanted.output}"


def _require_counts(declaration: Declaration, layout: Layout, columns: dict[str, int], network: Network) -> None:
    """Compare numbers of columns with what each key needs, and with the classes."""
    if columns["boxes"] != _BOX_COLUMNS:
        _refuse(network, f"`boxes` has {columns['boxes']} columns where a box has 4", "boxes")
    for key in _ONE_COLUMN:
        if columns.get(key, 1) != 1:
            _refuse(network, f"`{key}` has {columns[key]} columns where it needs one", key)
    classes = len(network.classes)
    if declaration.class_ids and len(declaration.class_ids) != classes:
        _refuse(network, f"it has {classes} classes and {len(declaration.class_ids)} class_ids", "class_ids")
    if layout.labels:
        if columns["scores"] != 1:
            _refuse(network, f"`scores` has {columns['scores']} columns where `labels` needs one", "scores, or labels")
        return
    extra = int(bool(declaration.background))
    if declaration.class_ids:
        if max(declaration.class_ids) + 1 + extra > columns["scores"]:
            _refuse(
                network,
                f"`class_ids` go up to {max(declaration.class_ids)}, and `scores` has {columns['scores']} columns",
                "class_ids, or scores",
            )
    elif columns["scores"] != classes + extra:
        _refuse(
            network,
            f"`scores` has {columns['scores']} columns, and {classes} classes{' and a background' * extra} need "
            f"{classes + extra}",
            "scores, objectness, background or classes",
        )


def _require_rows(rows: dict[str, int], network: Network) -> None:
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{key} {count}" for key, count in rows.items())
        _refuse(network, f"the numbers of rows disagree: {counts}", "the outputs, or turned")


def _refuse(network: Network, what: str, correct: str) -> NoReturn:
    raise CheckpointError(f"{network.name} cannot be decoded: {what}. Correct {correct} under [decoding] in its card.")


def require_plausible(declaration: Declaration, outputs: Outputs, network: Network) -> None:
    """Raise CheckpointError when the numbers of a photo show that unit, order, activation or background is another.

    A network that found nothing, and an untrained one, are plausible: only what no right card explains is refused.
    """
    layout = layout_of(declaration)
    tables = _tables(layout, outputs)
    used = _used(tables)
    _require_cells_apart(declaration, tables["boxes"], network)
    boxes, scores = tables["boxes"][used], tables["scores"][used]
    boxes = boxes[_are_boxes(boxes)]
    if len(boxes):
        _require_unit(declaration, boxes, network)
        _require_order(declaration, boxes, network)
    if not layout.objectness:
        _require_no_objectness(layout, outputs, network)
    if scores.size:
        _require_activation(declaration, scores, network)
        if "labels" not in tables:
            _require_background(declaration, scores, network)
    if "labels" in tables and declaration.first_label:
        _require_first_label(declaration, tables["labels"][used, 0], scores[:, 0], network)


def _are_boxes(boxes: FloatArray) -> NDArray[np.bool_]:
    """Return which rows are no padding: what some exports fill up with has four times the same number, 0 or -1."""
    are_boxes: NDArray[np.bool_] = (boxes != boxes[:, :1]).any(axis=1)
    return are_boxes


def _require_unit(declaration: Declaration, boxes: FloatArray, network: Network) -> None:
    middle = float(np.median(np.abs(boxes)))
    if declaration.unit == "fraction" and middle > _LARGEST_FRACTION:
        _refuse(network, f"its boxes are numbers of about {middle:.4g}, and fractions are at most 1", "unit")
    if declaration.unit == "pixel" and declaration.box != "ltrb" and middle <= _LARGEST_FRACTION:
        _refuse(network, f"its boxes are numbers of about {middle:.2g}, which are no pixels but fractions", "unit")
    if declaration.unit == "stride" and (middle > network.edge / 4 or _are_places(declaration, boxes, network)):
        _refuse(network, f"its boxes are numbers up to {boxes.max():.4g}, which are pixels and no strides", "unit")


def _are_places(declaration: Declaration, boxes: FloatArray, network: Network) -> bool:
    """Return whether centres spread over the whole input, as pixels do; offsets from a cell are a few at most."""
    return declaration.box == "cxcywh" and bool(boxes[:, :2].max() > network.edge / 2)


def _require_cells_apart(declaration: Declaration, boxes: FloatArray, network: Network) -> None:
    """Refuse places where offsets and distances from cells belong, and the other way round.

    Where each row is a cell, places in the photo go along with the place of the cell, and what is relative to it does
    not: from a trained network or not.
    """
    are_boxes = _are_boxes(boxes)
    if are_boxes.sum() < _ENOUGH_ROWS:
        return
    axes = (1, 0, 1, 0) if declaration.box == "yxyx" else (0, 1, 0, 1)

    def together(strides: tuple[int, ...]) -> list[float]:
        cells, widths = cells_of(network.size_wh, strides)
        places = (cells * widths[:, None])[are_boxes]
        return [_correlation(boxes[are_boxes, column], places[:, axis]) for column, axis in enumerate(axes)]

    if declaration.strides:
        columns = together(declaration.strides)
        if min(columns if declaration.box == "ltrb" else columns[:2]) > _TOGETHER:
            _refuse(network, "its boxes are places in the photo, and not relative to cells", "unit, or strides")
        return
    for strides in _COMMON_STRIDES:
        # PP-YOLOE has its coarsest level first.
        if len(cells_of(network.size_wh, strides)[1]) == len(boxes) and all(
            max(together(order)[:2]) < _TOGETHER for order in (strides, strides[::-1])
        ):
            _refuse(
                network,
                f"each of its {len(boxes)} rows is a cell of the strides {', '.join(map(str, strides))}, and its boxes "
                "are not where the cells are",
                "unit, strides, or box",
            )


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Return how far two columns of numbers go along with each other, -1 to 1; 0 where one is the same everywhere."""
    if not (np.ptp(one) and np.ptp(other)):
        return 0.0
    return float(np.corrcoef(one.astype(np.float64), other)[0, 1])


def _require_order(declaration: Declaration, boxes: FloatArray, network: Network) -> None:
    if declaration.unit == "stride":
        return
    first, second = boxes[:, :2], boxes[:, 2:]
    if declaration.box == "ltrb":
        share = float((boxes < 0).any(axis=1).mean())
        if share > 1 - _FEW:
            _refuse(network, f"{share:.0%} of its boxes have distances below 0", "box")
    elif declaration.box == "cxcywh":
        if float((second < 0).any(axis=1).mean()) > _FEW:
            _refuse(network, "its boxes have sizes below 0", "box")
        if len(boxes) >= _ENOUGH_ROWS and float((second >= first).all(axis=1).mean()) > _CORNERS:
            _refuse(network, 'its boxes are corners ("xyxy" or "yxyx") and no centres with sizes', "box")
        if declaration.unit == "fraction" and float((second > _LARGEST_SIZE).any(axis=1).mean()) > _FEW:
            _refuse(network, "its boxes are larger than the photo", "box, or unit")
    elif (share := float((second < first).any(axis=1).mean())) > _FEW:
        _refuse(network, f"{share:.0%} of its boxes end before they begin", 'box (it may be "cxcywh")')
    _require_within(declaration, boxes, network)


def _require_within(declaration: Declaration, boxes: FloatArray, network: Network) -> None:
    """Refuse boxes whose first two numbers, a corner or the centre, are beyond the input, as for another size."""
    if declaration.box == "ltrb":
        return
    edges = np.array(network.size_wh if declaration.unit == "pixel" else (1, 1), np.float32)
    if declaration.box == "yxyx":
        edges = edges[::-1]
    beyond = float((boxes[:, :2] > edges * np.float32(1.1)).any(axis=1).mean())
    if beyond > 1 - _FEW or (len(boxes) >= _ENOUGH_ROWS and beyond > _FEW):
        _refuse(network, f"{beyond:.0%} of its boxes are outside of the photo", "box, unit, or the size of the input")


def _require_activation(declaration: Declaration, scores: FloatArray, network: Network) -> None:
    low, high = float(scores.min()), float(scores.max())
    if declaration.activation != "none" and low >= 0 and high <= 1 and low < high:
        _refuse(network, f"it answers with {low:.4g} to {high:.4g}: these are probabilities, not logits", "activation")


def _require_background(declaration: Declaration, scores: FloatArray, network: Network) -> None:
    """Refuse a class that nearly every place of a photo is most sure of: it is the one that stands for nothing."""
    if len(scores) < _ENOUGH_ROWS or scores.shape[1] <= 2:  # noqa: PLR2004 one class and the background
        return
    if declaration.activation == "softmax":
        scores = softmax(scores)
    places = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]) / len(scores)
    for name, column in (("first", 0), ("last", scores.shape[1] - 1)):
        most = f"{places[column]:.0%} of a photo is most of all the {name} column of `scores`"
        if places[column] < _NEARLY_ALL:
            continue
        if declaration.background == name and declaration.activation == "sigmoid":
            _refuse(network, f"{most}, as it is with softmax", "activation")
        if declaration.background != name and not _is_unsure(scores[:, column], declaration):
            _refuse(network, most, "background")


def _require_no_objectness(layout: Layout, outputs: Outputs, network: Network) -> None:
    """Refuse a single column of probabilities between boxes and scores that nothing uses."""
    for boxes, scores in zip(layout.boxes, layout.scores, strict=False):
        if boxes.output != scores.output or boxes.end is None or scores.first != boxes.end + 1 or layout.labels:
            continue
        table = as_table(outputs[boxes.output], turned=boxes.output in layout.turned)
        between = table[:, boxes.end]
        if between.size and 0 <= between.min() < between.max() <= 1:
            _refuse(
                network,
                f"between boxes and scores there are probabilities in column {boxes.end} of {boxes.output}",
                f'objectness ("{boxes.output}[{boxes.end}]")',
            )


def _is_unsure(column: FloatArray, declaration: Declaration) -> bool:
    """Return whether a column is improbable in itself: a place without objects has a best class too."""
    middle = float(np.median(column))
    return middle < _UNSURE_LOGIT if declaration.activation == "sigmoid" else middle < _UNSURE


def _require_first_label(declaration: Declaration, labels: FloatArray, scores: FloatArray, network: Network) -> None:
    scored = labels[scores >= np.float32(_SCORED)]
    if len(scored) and 0 <= scored.min() < declaration.first_label:
        _refuse(
            network,
            f"it answers with class {int(scored.min())}, and the first one is {declaration.first_label}",
            "first_label",
        )
