"""Small networks of the structure of GluonCV's exports, with seeded random weights.

The order of operators and their attributes are those of `export` and `export_block` of GluonCV 0.11 with MXNet 1.9.1:
SSD (ssd_300_vgg16_atrous and its kin) and YOLOv3 (yolo3_darknet53 and its kin).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.inference.model_folders import write_card
from tests.support.checkpoints import Net, write_checkpoint

EDGE = 36
CLASSES = ("cat", "dog", "bird")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
ALLOCATED = 16
"""Anchors and offsets are stored for feature maps of this edge and cut to the real one."""


@dataclass(frozen=True)
class Export:
    """Network, its heads, and the number of the node that box_nms takes."""

    net: Net
    heads: tuple[int, ...]
    rows: int


def small_ssd(*, preprocess: bool = False, split: bool = False, nms: Mapping[str, object] | None = None) -> Export:
    """Build an SSD of two feature maps, 9 x 9 and 5 x 5, of three anchors a cell."""
    net = Net(seed=3)
    first, second = _features(net, preprocess=preprocess)
    predicted: dict[str, list[int]] = {"cls": [], "loc": [], "anchors": []}
    for index, (feature, size) in enumerate([(first, 8), (second, 16)]):
        for name, filters in (("cls", 3 * (len(CLASSES) + 1)), ("loc", 3 * 4)):
            convolution = net.convolution(f"{name}{index}", feature, 8, filters)
            turned = net.add("transpose", f"{name}{index}_turned", [convolution], axes=(0, 2, 3, 1))
            predicted[name].append(net.add("Flatten", f"{name}{index}_flat", [turned]))
        anchors = _constant(net, f"anchor_{index}", _ssd_anchors(EDGE / (9, 5)[index], size))
        cut = _cut(net, f"anchors{index}", anchors, feature)
        boxes = net.add("Reshape", f"anchors{index}_boxes", [cut], shape=(1, -1, 4))
        predicted["anchors"].append(net.add("Reshape", f"anchors{index}_flat", [boxes], shape=(1, -1)))
    joined = {name: net.add("Concat", f"{name}_all", parts, num_args=2, dim=1) for name, parts in predicted.items()}
    logits = net.add("Reshape", "logits", [joined["cls"]], shape=(0, -1, len(CLASSES) + 1))
    loc = net.add("Reshape", "loc", [joined["loc"]], shape=(0, -1, 4))
    anchors = net.add("Reshape", "anchors", [joined["anchors"]], shape=(1, -1, 4))
    probabilities = net.add("softmax", "softmax", [logits], axis=-1)
    ids, scores = _per_class(net, probabilities)
    boxes = _decoded_by_parts(net, loc, anchors) if split else _decoded(net, loc, anchors)
    results = [
        net.add(
            "Concat",
            f"class{index}",
            [_column(net, f"{name}{index}", node, index, index + 1) for name, node in (("id", ids), ("score", scores))]
            + [boxes],
            num_args=3,
            dim=-1,
        )
        for index in range(len(CLASSES))
    ]
    return _ended(net, results, nms)


def small_yolo3(*, preprocess: bool = False, nms: Mapping[str, object] | None = None) -> Export:
    """Build a YOLOv3 of two scales, 5 x 5 and then 9 x 9, of two anchors a cell."""
    net = Net(seed=4)
    fine, coarse = _features(net, preprocess=preprocess)
    tip = net.add("LeakyReLU", "tip", [net.convolution("tip0", coarse, 8, 8)], act_type="leaky", slope=0.1)
    coarse_rows = _yolo_output(net, 0, tip, 8, ((10, 13), (16, 9)))
    upsampled = tip
    for axis in (-1, -2):
        upsampled = net.add("repeat", f"repeat{axis}", [upsampled], repeats=2, axis=axis)
    cut = _cut(net, "upsampled", upsampled, fine)
    merged = net.add("Concat", "merged", [cut, fine], num_args=2, dim=1)
    tip = net.add("LeakyReLU", "tip_fine", [net.convolution("tip1", merged, 16, 8)], act_type="leaky", slope=0.1)
    return _ended(net, [coarse_rows, _yolo_output(net, 1, tip, 4, ((5, 6), (9, 4)))], nms)


def write_export(folder: Path, export: Export, card: Mapping[str, Any] | None = None, *, layout: str = "nchw") -> Path:
    """Write a folder with the two files of an export and a card; `card` replaces its keys, None leaves one out."""
    write_checkpoint(folder, export.net.document(heads=export.heads), export.net.arrays)
    (folder / "synset.txt").unlink()
    names = ("net-symbol.json", "net-0000.params")
    normalisation = {"layout": "nhwc"} if layout == "nhwc" else {"mean": MEAN, "std": STD}
    keys: dict[str, Any] = {
        "name": folder.name,
        "title": "A network of a few nodes",
        "version": "1.0",
        "family": "gluoncv",
        "licence": "MIT",
        "source": "the tests",
        "classes": list(CLASSES),
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names},
        "input": {"edge": EDGE} | normalisation,
    }
    write_card(folder, keys | dict(card or {}))
    return folder


def _features(net: Net, *, preprocess: bool) -> tuple[int, int]:
    """Add two feature maps of 8 channels, 9 x 9 and 5 x 5; `preprocess` is the front of `export_block`."""
    data = net.variable("data")
    if preprocess:
        numbers = {name: np.array(each, np.float32).reshape(1, 1, 1, 3) for name, each in (("m", MEAN), ("s", STD))}
        data = net.add("broadcast_sub", "centred", [data, _constant(net, "init_mean", numbers["m"])])
        data = net.add("broadcast_div", "scaled", [data, _constant(net, "init_scale", numbers["s"])])
        data = net.add("transpose", "turned", [data], axes=(0, 3, 1, 2))
    normal = net.batch_norm("bn0", net.convolution("conv0", data, 3, 8, stride=4), 8, fix_gamma=False)
    first = net.add("Activation", "relu0", [normal], act_type="relu")
    second = net.add("Activation", "relu1", [net.convolution("conv1", first, 8, 8, stride=2)], act_type="relu")
    return first, second


def _ssd_anchors(step: float, size: float) -> NDArray[np.float32]:
    """Return centre x, centre y, width, height in pixels, (1, 1, cells, cells, 3 * 4)."""
    shapes = ((size, size), (size * 1.4, size * 1.4), (size * 1.4, size / 1.4))
    rows = [
        [number for width, height in shapes for number in ((x + 0.5) * step, (y + 0.5) * step, width, height)]
        for y in range(ALLOCATED)
        for x in range(ALLOCATED)
    ]
    return np.array(rows, np.float32).reshape(1, 1, ALLOCATED, ALLOCATED, 12)


def _per_class(net: Net, probabilities: int) -> tuple[int, int]:
    """Add MultiPerClassDecoder: a class and a score for each class, -1 and 0 up to a score of 0.01."""
    scores = _column(net, "foreground", probabilities, 1, None)
    template = net.add("zeros_like", "template", [_column(net, "background", probabilities, 0, 1)])
    count = len(CLASSES)
    numbers = net.add("_arange", "numbers", [], start=count, stop=None, step=1.0, repeat=1, dtype="float32")
    row = net.add("Reshape", "numbers_row", [numbers], shape=(1, 1, count))
    ids = net.add("broadcast_add", "ids", [template, row])
    mask = net.add("_greater_scalar", "mask", [scores], scalar=0.01)
    nothing = net.add("_mul_scalar", "nothing", [net.add("ones_like", "ones", [ids])], scalar=-1)
    kept = net.add("where", "ids_kept", [mask, ids, nothing])
    return kept, net.add("where", "scores_kept", [mask, scores, net.add("zeros_like", "zeros", [scores])])


def _decoded(net: Net, loc: int, anchors: int) -> int:
    stds = {"std0": 0.1, "std1": 0.1, "std2": 0.2, "std3": 0.2}
    return net.add("_contrib_box_decode", "boxes", [loc, anchors], clip=-1, format="center", **stds)


def _decoded_by_parts(net: Net, loc: int, anchors: int) -> int:
    """Decode in parts, as exports before GluonCV 0.6 do."""
    a, p = (net.add("SliceChannel", f"parts{node}", [node], axis=-1, num_outputs=4) for node in (anchors, loc))
    low, high = [], []
    for axis, deviation in ((0, 0.1), (1, 0.1)):
        scaled = net.add("_mul_scalar", f"shift{axis}", [(p, axis)], scalar=deviation)
        moved = net.add("broadcast_mul", f"moved{axis}", [scaled, (a, axis + 2)])
        centre = net.add("broadcast_add", f"centre{axis}", [moved, (a, axis)])
        growth = net.add("_mul_scalar", f"growth{axis}", [(p, axis + 2)], scalar=deviation * 2)
        grown = net.add("exp", f"grown{axis}", [growth])
        size = net.add("broadcast_mul", f"size{axis}", [grown, (a, axis + 2)])
        half = net.add("_div_scalar", f"half{axis}", [size], scalar=2)
        low.append(net.add("elemwise_sub", f"low{axis}", [centre, half]))
        high.append(net.add("elemwise_add", f"high{axis}", [centre, half]))
    return net.add("Concat", "boxes", low + high, num_args=4, dim=-1)


def _yolo_output(net: Net, index: int, tip: int, stride: int, sizes: Sequence[tuple[int, int]]) -> int:
    """Add YOLOOutputV3: rows (N, R, 6) of one scale."""
    count, length = len(sizes), 5 + len(CLASSES)
    name = f"output{index}_"
    flat = net.convolution(f"{name}prediction", tip, 8, count * length, kernel=1)
    # Probabilities of all sizes: a product of two sigmoids stays small.
    net.arrays[f"arg:{name}prediction_weight"] *= np.float32(1.7)
    flat = net.add("Reshape", f"{name}flat", [flat], shape=(0, count * length, -1))
    turned = net.add("transpose", f"{name}turned", [flat], axes=(0, 2, 1))
    cells = net.add("Reshape", f"{name}cells", [turned], shape=(0, -1, count, length))
    parts = {"xy": (0, 2), "wh": (2, 4), "object": (4, 5), "class": (5, None)}
    xy, wh, objectness, classes = (_column(net, f"{name}{key}", cells, *cut) for key, cut in parts.items())
    y, x = np.mgrid[:ALLOCATED, :ALLOCATED].astype(np.float32)
    offsets = _cut(net, f"{name}offsets", _constant(net, f"offset_{index}", np.stack([x, y], -1)[None, None]), tip)
    offsets = net.add("Reshape", f"{name}offset_rows", [offsets], shape=(1, -1, 1, 2))
    centres = net.add("broadcast_add", f"{name}moved", [net.add("sigmoid", f"{name}inside", [xy]), offsets])
    centres = net.add("_mul_scalar", f"{name}centres", [centres], scalar=stride)
    anchors = _constant(net, f"anchor_{index}", np.array(sizes, np.float32).reshape(1, 1, -1, 2))
    sides = net.add("broadcast_mul", f"{name}sides", [net.add("exp", f"{name}growth", [wh]), anchors])
    half = net.add("_div_scalar", f"{name}half", [sides], scalar=2.0)
    corners = [net.add(each, f"{name}{each}", [centres, half]) for each in ("elemwise_sub", "elemwise_add")]
    boxes = net.add("Concat", f"{name}boxes", corners, num_args=2, dim=-1)
    boxes = net.add("tile", f"{name}tiled", [boxes], reps=(len(CLASSES), 1, 1, 1, 1))
    sigmoids = [net.add("sigmoid", f"{name}p{node}", [node]) for node in (classes, objectness)]
    scores = net.add("transpose", f"{name}scores", [net.add("broadcast_mul", f"{name}p", sigmoids)], axes=(3, 0, 1, 2))
    scores = net.add("expand_dims", f"{name}score", [scores], axis=-1)
    numbers = net.add("_arange", f"{name}numbers", [], start=0, stop=len(CLASSES), step=1.0, repeat=1, dtype="float32")
    numbers = net.add("Reshape", f"{name}number", [numbers], shape=(0, 1, 1, 1, 1))
    ids = net.add("_mul_scalar", f"{name}zeros", [scores], scalar=0)
    ids = net.add("broadcast_add", f"{name}ids", [ids, numbers])
    rows = net.add("Concat", f"{name}rows", [ids, scores, boxes], num_args=3, dim=-1)
    rows = net.add("transpose", f"{name}by_photo", [rows], axes=(1, 0, 2, 3, 4))
    return net.add("Reshape", f"{name}all", [rows], shape=(0, -1, 6))


def _ended(net: Net, parts: Sequence[int], nms: Mapping[str, object] | None) -> Export:
    """Add the rows of all parts, box_nms, the first twenty rows it keeps, and the three heads."""
    rows = net.add("Concat", "rows", parts, num_args=len(parts), dim=1)
    attributes: dict[str, object] = {"overlap_thresh": 0.45, "valid_thresh": 0.01, "topk": 60, "id_index": 0}
    attributes |= {"score_index": 1, "coord_start": 2, "force_suppress": False}
    kept = net.add("_contrib_box_nms", "nms", [rows], **(attributes | dict(nms or {})))
    kept = net.add("slice_axis", "first", [kept], axis=1, begin=0, end=20)
    heads = [("ids", 0, 1), ("scores", 1, 2), ("boxes", 2, 6)]
    return Export(net, tuple(_column(net, name, kept, begin, end) for name, begin, end in heads), rows)


def _column(net: Net, name: str, node: int, begin: int, end: int | None) -> int:
    return net.add("slice_axis", name, [node], axis=-1, begin=begin, end=end)


def _cut(net: Net, name: str, data: int, feature: int) -> int:
    like = net.add("_mul_scalar", f"{name}_like", [feature], scalar=0)
    return net.add("slice_like", f"{name}_cut", [data, like], axes=(2, 3))


def _constant(net: Net, name: str, array: NDArray[np.float32]) -> int:
    net.arrays[f"arg:{name}"] = array
    return net.variable(name)
