"""Right declarations of the recorded exports, and wrong ones that differ from them in one thing."""

from collections.abc import Iterator, Mapping
from typing import Any

Keys = Mapping[str, Any]

_V8 = {"boxes": "output0[0:4]", "scores": "output0[4:]", "box": "cxcywh", "turned": True, "nms": 0.7}
_ROWS = {"boxes": "output0[0:4]", "scores": "output0[4]", "labels": "output0[5]"}
_DETR = {
    "boxes": "pred_boxes",
    "scores": "logits",
    "box": "cxcywh",
    "unit": "fraction",
    "activation": "sigmoid",
    "multi_label": True,
}
_SOFTMAX = {**_DETR, "activation": "softmax", "background": "last"}
_TORCHVISION = {"boxes": "boxes", "scores": "scores", "labels": "labels", "first_label": 1, "batched": False}
_OBJECTNESS = {"objectness": "output[4]", "scores": "output[5:]", "box": "cxcywh", "nms": 0.45}
_YOLOX = {"boxes": "output[0:4]", **_OBJECTNESS}
RIGHT: dict[str, Keys] = {
    "rfdetr": {**_DETR, "boxes": "dets", "scores": "labels", "class_ids": (0, 1, 2)},
    **dict.fromkeys(
        [f"torchvision-{name}" for name in ("faster-rcnn", "fcos", "retinanet", "ssd300", "ssdlite")], _TORCHVISION
    ),
    **dict.fromkeys(
        [
            f"transformers-{name}"
            for name in ("conditional-detr", "dab-detr", "deformable-detr", "rtdetr", "rtdetr-v2", "d-fine")
        ],
        _DETR,
    ),
    **dict.fromkeys([f"transformers-{name}" for name in ("detr", "table", "yolos")], _SOFTMAX),
    **dict.fromkeys([f"ultralytics-{name}" for name in ("v5u", "v8", "v9", "11", "12", "26-one-to-many")], _V8),
    **dict.fromkeys([f"ultralytics-{name}" for name in ("v8-nms", "v10", "26")], _ROWS),
    "ultralytics-rtdetr": {**_ROWS, "box": "cxcywh", "unit": "fraction"},
    "yolov5": {
        "boxes": "output0[0:4]",
        "objectness": "output0[4]",
        "scores": "output0[5:]",
        "box": "cxcywh",
        "nms": 0.45,
    },
    "yolox": {**_YOLOX, "unit": "stride", "strides": (8, 16, 32)},
    "yolox-decoded": _YOLOX,
}


def wrong(right: Keys) -> Iterator[tuple[str, Keys]]:
    """Yield declarations that differ in one thing from a right one, each with what it says."""
    unit, box = right.get("unit", "pixel"), right.get("box", "xyxy")
    if unit == "stride":
        yield "unit pixel", {key: value for key, value in right.items() if key not in {"unit", "strides"}}
        yield "unit fraction", {**{key: value for key, value in right.items() if key != "strides"}, "unit": "fraction"}
        yield "other strides", {**right, "strides": (16, 32, 64)}
    else:
        other = "fraction" if unit == "pixel" else "pixel"
        yield f"unit {other}", {**right, "unit": other}
        for form in {"xyxy", "cxcywh"} - {box}:
            yield f"box {form}", {**right, "box": form}
        yield "unit stride", {**right, "unit": "stride", "box": "cxcywh", "strides": (8, 16, 32)}
    for activation in {"none", "sigmoid", "softmax"} - {right.get("activation", "none")}:
        if not (activation == "softmax" and "labels" in right):
            yield f"activation {activation}", {**right, "activation": activation}
    yield from _other_classes(right)
    yield "turned", {**right, "turned": not right.get("turned", False)}


def _other_classes(right: Keys) -> Iterator[tuple[str, Keys]]:
    """Yield declarations that see the classes elsewhere."""
    if "labels" in right:
        yield "scores and labels exchanged", {**right, "scores": right["labels"], "labels": right["scores"]}
        yield "another first label", {**right, "first_label": 1 - right.get("first_label", 0)}
        yield "no labels", {key: value for key, value in right.items() if key not in {"labels", "first_label"}}
        return
    # Where the card lists the columns of its classes, another unused one changes nothing, or what no number tells.
    for background in set() if "class_ids" in right else {"", "first", "last"} - {right.get("background", "")}:
        yield f"background {background or 'none'}", {**right, "background": background}
    if "objectness" in right:
        plain = {key: value for key, value in right.items() if key != "objectness"}
        yield "no objectness", plain
        yield "objectness as a class", {**plain, "scores": right["objectness"].replace("]", ":]")}
    elif "[4:]" in str(right["scores"]):
        name = right["boxes"].partition("[")[0]
        yield "an objectness", {**right, "objectness": f"{name}[4]", "scores": f"{name}[5:]"}
        yield "corners, score, label", {**right, "scores": f"{name}[4]", "labels": f"{name}[5]"}
