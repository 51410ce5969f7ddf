"""Answers of the embedded, trained network to pictures, written as other exporters write theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image

from detection.inference.engines.base import Outputs
from detection.inference.families.declaration import Declaration
from detection.inference.families.places import in_a_corner
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.types import FloatArray, ImageArray
from tests.inference.families import reference
from tests.inference.paths import REPOSITORY

EDGE, CLASSES, BINS = 416, 80, 8
STRIDES = (8, 16, 32, 64)
PHOTO = REPOSITORY / "static" / "detection" / "samples" / "chelsea.jpg"
COCO_IDS = tuple(each for each in range(1, 91) if each not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83})


@dataclass(frozen=True)
class Answer:
    """Boxes (cells, 4) in pixels of the input, and probabilities (cells, 80)."""

    boxes_xyxy_px: FloatArray
    scores: FloatArray


def pictures() -> list[ImageArray]:
    """What the self-test shows: noise, the sample photo, and the photo in a corner."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize((EDGE, EDGE), Image.Resampling.BILINEAR))
    noise = np.random.default_rng(0).integers(0, 256, (EDGE, EDGE, 3), dtype=np.uint8)
    return [noise, photo, in_a_corner(photo)]


@cache
def answers(cache_dir: Any) -> tuple[Answer, ...]:
    """The network's answers to `pictures`."""
    network = open_model(ModelSource(REPOSITORY / "models" / "nanodet_plus_m"), cache_dir)
    session = ort.InferenceSession(network.onnx_path, providers=["CPUExecutionProvider"])
    return tuple(_answer(session.run(None, {"image_rgb": each[None]})[0][0]) for each in pictures())


def _answer(cells: FloatArray) -> Answer:
    """Decode as models/nanodet_plus_m/PROVENANCE.md has it."""
    grid = np.array(reference.cells((EDGE, EDGE), STRIDES), np.float32)
    powers = np.exp(cells[:, CLASSES:].reshape(-1, 4, BINS))
    distances = (powers @ np.arange(BINS)) / powers.sum(axis=2) * grid[:, 2:]
    points = grid[:, :2] * grid[:, 2:]
    boxes = np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)
    return Answer(boxes.astype(np.float32), (1 / (1 + np.exp(-cells[:, :CLASSES]))).astype(np.float32))


def objects(answer: Answer, low: float = 0.05, count: int = 100) -> tuple[FloatArray, FloatArray, Any]:
    """Boxes in pixels, scores, classes of one answer after suppression, as exports with their own have them."""
    class_ids, scores = answer.scores.argmax(axis=1), answer.scores.max(axis=1)
    order = [row for row in np.argsort(-scores) if scores[row] >= low]
    kept: list[int] = []
    for row in order:
        box = answer.boxes_xyxy_px[row].tolist()
        if all(reference.iou(box, answer.boxes_xyxy_px[other].tolist()) < 0.6 for other in kept):
            kept.append(row)
    kept = kept[:count]
    return np.clip(answer.boxes_xyxy_px[kept], 0, EDGE), scores[kept], class_ids[kept]


def _centred(boxes: FloatArray) -> Any:
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _turned(boxes: FloatArray) -> Any:
    return boxes[:, [1, 0, 3, 2]]


def _logits(scores: FloatArray) -> Any:
    return np.log(scores / (1 - scores))


def _with_background(answer: Answer, *, first: bool, best: int = 300) -> tuple[FloatArray, FloatArray]:
    """Boxes and logits of softmax of the most probable cells."""
    rows = np.argsort(-answer.scores.max(axis=1))[:best]
    # The best class keeps its probability; what it leaves is nothing's.
    scores = np.where(answer.scores[rows] == answer.scores[rows].max(axis=1, keepdims=True), answer.scores[rows], 1e-5)
    nothing = np.maximum(1 - scores.sum(axis=1, keepdims=True), 1e-4)
    parts = [nothing, scores] if first else [scores, nothing]
    return answer.boxes_xyxy_px[rows], np.log(np.concatenate(parts, axis=1)).astype(np.float32)


def _queries(answer: Answer, best: int = 300) -> tuple[FloatArray, FloatArray]:
    rows = np.argsort(-answer.scores.max(axis=1))[:best]
    return answer.boxes_xyxy_px[rows], answer.scores[rows]


def _f32(**arrays: Any) -> Outputs:
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}


def _padded(array: Any, filling: float, count: int = 100) -> Any:
    shape = (count - len(array), *array.shape[1:])
    return np.concatenate([array, np.full(shape, filling, np.float32)])


def _v5(answer: Answer) -> Any:
    best = np.minimum(answer.scores.max(axis=1, keepdims=True) * 1.05 + 0.001, 1)
    return np.concatenate([_centred(answer.boxes_xyxy_px), best, answer.scores / best], axis=1)


def _rows(answer: Answer) -> Any:
    boxes, scores, class_ids = objects(answer)
    return np.concatenate([boxes, scores[:, None], class_ids[:, None]], axis=1)


def _labelled(answer: Answer, *, boxes: Callable[[FloatArray], Any], first: int, filling: float | None) -> Outputs:
    corners, scores, class_ids = objects(answer)
    parts = {"boxes": boxes(corners), "scores": scores, "labels": class_ids + first}
    if filling is not None:
        parts = {name: _padded(part, filling) for name, part in parts.items()}
    return _f32(**parts, count=np.array([len(scores)]))


def _queried(answer: Answer, boxes: Callable[[FloatArray], Any]) -> Outputs:
    corners, scores = _queries(answer)
    return _f32(boxes=boxes(corners), logits=_logits(scores), scores=scores)


def _gaps(answer: Answer) -> Outputs:
    corners, scores = _queries(answer)
    logits = np.full((len(scores), 91), -9.0)
    logits[:, list(COCO_IDS)] = _logits(scores)
    return _f32(dets=_centred(corners) / EDGE, labels=logits)


def _cells() -> Any:
    """Column, row and stride of each cell, (cells, 3)."""
    return np.array(reference.cells((EDGE, EDGE), STRIDES), np.float32)


def levels_of(array: Any) -> list[Any]:
    """The rows of each level, finest first."""
    ends = np.cumsum([(-(-EDGE // stride)) ** 2 for stride in STRIDES])[:-1]
    return np.split(array, ends)


def _rtmdet(answer: Answer) -> Outputs:
    """Distances from the middle of a cell in pixels, and logits, level by level, columns first."""
    cells = _cells()
    points = (cells[:, :2] + 0.5) * cells[:, 2:]
    boxes = answer.boxes_xyxy_px
    distances = np.concatenate([points - boxes[:, :2], boxes[:, 2:] - points], axis=1)
    parts = {"reg": distances, "cls": _logits(answer.scores)}
    return _f32(
        **{
            f"{name}_{stride}": level.T
            for name, part in parts.items()
            for stride, level in zip(STRIDES, levels_of(part), strict=True)
        }
    )


def _yolox(answer: Answer) -> Outputs:
    """Offsets from cells and logarithms of sizes, in strides, an objectness and scores."""
    cells, rows = _cells(), _v5(answer)
    centres = rows[:, :2] / cells[:, 2:] - cells[:, :2]
    sizes = np.log(np.maximum(rows[:, 2:4], 0.01) / cells[:, 2:])
    return _f32(output=np.concatenate([centres, sizes, rows[:, 4:]], axis=1))


def _softmaxed(answer: Answer, *, first: bool) -> Outputs:
    boxes, logits = _with_background(answer, first=first)
    shares = np.exp(logits)
    return _f32(boxes=_centred(boxes) / EDGE, logits=logits, shares=shares / shares.sum(axis=1, keepdims=True))


Layout = tuple[Callable[[Answer], Outputs], dict[str, Any]]
LABELLED = {"boxes": "boxes", "scores": "scores", "labels": "labels"}
# A right card for each layout.
RIGHT: dict[str, Layout] = {
    "YOLOv8": (
        lambda each: _f32(output0=np.concatenate([_centred(each.boxes_xyxy_px), each.scores], axis=1).T),
        {"boxes": "output0[0:4]", "scores": "output0[4:84]", "box": "cxcywh", "turned": True, "nms": 0.7},
    ),
    "YOLOv5": (
        lambda each: _f32(output=_v5(each)),
        {
            "boxes": "output[0:4]",
            "objectness": "output[4]",
            "scores": "output[5:85]",
            "box": "cxcywh",
            "nms": 0.45,
        },
    ),
    "YOLO-NAS, raw": (
        lambda each: _f32(boxes=each.boxes_xyxy_px, scores=each.scores),
        {"boxes": "boxes", "scores": "scores", "nms": 0.7},
    ),
    "YOLOv4": (
        lambda each: _f32(boxes=each.boxes_xyxy_px / EDGE, scores=each.scores),
        {"boxes": "boxes", "scores": "scores", "unit": "fraction", "nms": 0.6},
    ),
    "YOLOv10": (
        lambda each: _f32(output0=_padded(_rows(each), 0)),
        {"boxes": "output0[0:4]", "scores": "output0[4]", "labels": "output0[5]"},
    ),
    "Ultralytics RT-DETR": (
        lambda each: _f32(
            output0=np.concatenate([_centred(_queries(each)[0]) / EDGE, _queries(each)[1]], axis=1),
        ),
        {"boxes": "output0[0:4]", "scores": "output0[4:84]", "box": "cxcywh", "unit": "fraction"},
    ),
    "EfficientNMS": (
        lambda each: _labelled(each, boxes=lambda boxes: boxes, first=0, filling=-1),
        {**LABELLED, "count": "count"},
    ),
    "torchvision": (
        lambda each: _labelled(each, boxes=lambda boxes: boxes, first=1, filling=None),
        {**LABELLED, "first_label": 1},
    ),
    "Detectron2": (lambda each: _labelled(each, boxes=lambda boxes: boxes, first=0, filling=None), {**LABELLED}),
    "TensorFlow's object detection": (
        lambda each: _labelled(each, boxes=lambda boxes: _turned(boxes) / EDGE, first=1, filling=0),
        {**LABELLED, "box": "yxyx", "unit": "fraction", "first_label": 1, "count": "count"},
    ),
    "Custom Vision": (
        lambda each: _labelled(each, boxes=lambda boxes: boxes / EDGE, first=0, filling=None),
        {**LABELLED, "unit": "fraction"},
    ),
    "EfficientDet": (
        lambda each: _labelled(each, boxes=_turned, first=1, filling=0),
        {**LABELLED, "box": "yxyx", "first_label": 1},
    ),
    "RT-DETR": (
        lambda each: _queried(each, lambda boxes: _centred(boxes) / EDGE),
        {
            "boxes": "boxes",
            "scores": "logits",
            "box": "cxcywh",
            "unit": "fraction",
            "activation": "sigmoid",
            "multi_label": True,
        },
    ),
    "RF-DETR": (
        _gaps,
        {
            "boxes": "dets",
            "scores": "labels",
            "box": "cxcywh",
            "unit": "fraction",
            "activation": "sigmoid",
            "multi_label": True,
            "class_ids": COCO_IDS,
        },
    ),
    "DETR": (
        lambda each: _softmaxed(each, first=False),
        {
            "boxes": "boxes",
            "scores": "logits",
            "box": "cxcywh",
            "unit": "fraction",
            "activation": "softmax",
            "background": "last",
        },
    ),
    "RTMDet, raw": (
        _rtmdet,
        {
            "boxes": tuple(f"reg_{stride}" for stride in STRIDES),
            "scores": tuple(f"cls_{stride}" for stride in STRIDES),
            "box": "ltrb",
            "strides": STRIDES,
            "offset": 0.5,
            "activation": "sigmoid",
            "turned": True,
            "nms": 0.65,
        },
    ),
    "YOLOX, raw": (
        _yolox,
        {
            "boxes": "output[0:4]",
            "objectness": "output[4]",
            "scores": "output[5:85]",
            "box": "cxcywh",
            "unit": "stride",
            "strides": STRIDES,
            "nms": 0.45,
        },
    ),
    "SSD, raw": (
        lambda each: _softmaxed(each, first=True),
        {"boxes": "boxes", "scores": "shares", "box": "cxcywh", "unit": "fraction", "background": "first", "nms": 0.45},
    ),
}


def network(decoding: dict[str, Any]) -> Network:
    """A network of 80 classes with this card. Raises ValueError."""
    return Network(
        name="exported",
        family="declared",
        onnx_path=PHOTO,
        decoding=Declaration(**decoding),
        classes=tuple(map(str, range(CLASSES))),
        size_wh=(EDGE, EDGE),
        sha256="0" * 64,
        prefix=PHOTO,
    )
