"""Export conventions of the projects: how an export of each is recognised, and what its card says.

Names of outputs alone prove little: several projects call theirs `output`, or `boxes`, `labels`, `scores`. So the axes,
further inputs and the numbers that a photo gives count as well, and no export may fit two presets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detection.inference.cards.draft import IMAGENET, LETTERBOX, UNIT, Draft
from detection.inference.cards.evidence import Evidence
from detection.inference.cards.libreyolo import is_of_libreyolo, libreyolo

_BOX = 4
_ROW_WITH_CLASS = 6
# The category numbers of COCO that are in use, out of 1 to 90 (instances_val2017.json).
_COCO_IDS = [each for each in range(1, 91) if each not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]
# Hugging Face's DETRs with a last column for "no object", whose loss is a cross entropy.
_SOFTMAX_TYPES = {"detr", "table-transformer", "yolos"}


@dataclass(frozen=True, slots=True)
class Exporter:
    """Export conventions of one project.

    draft: raises ValueError with the reason when there is none. is_it: recognises an export.
    """

    title: str
    is_it: Callable[[Evidence], bool]
    draft: Callable[[Evidence], Draft]


def _only(evidence: Evidence, rank: int = 3) -> tuple[int, ...]:
    """Return the axes of the one output after the batch; () where there are more outputs or other axes."""
    _, axes = evidence.only_output
    return axes[1:] if len(axes) == rank else ()


def _named(evidence: Evidence, *outputs: str) -> bool:
    return set(outputs) == set(evidence.signature.outputs)


def _is_of_ultralytics(evidence: Evidence) -> bool:
    return evidence.signature.metadata.get("author") == "Ultralytics"


def _ultralytics(evidence: Evidence) -> Draft:
    metadata = evidence.signature.metadata
    task = metadata.get("task", "detect")
    if task != "detect":
        raise ValueError(f"it is a network for the task {task}, and only those for the task detect have plain boxes")
    said = f"its metadata says: {metadata.get('description', 'Ultralytics').strip()}"
    if "rtdetr" in metadata.get("head", "").lower() or "rtdetr" in metadata.get("description", "").lower():
        return _rtdetr_of_ultralytics(evidence, said)
    axes = _only(evidence)
    if len(axes) == 2 and axes[-1] == _ROW_WITH_CLASS and axes[0] != _BOX + evidence.classes:  # noqa: PLR2004 a matrix
        why = f"its rows are six numbers {axes}: corners, score, class"
        return Draft("ultralytics", {"head": "end_to_end"}, {**LETTERBOX, **UNIT}, (said, why))
    if len(axes) == 2 and axes[0] == _BOX + evidence.classes:  # noqa: PLR2004 a matrix
        why = f"its columns are a box and {evidence.classes} classes {axes}"
        return Draft("ultralytics", {"head": "v8"}, {**LETTERBOX, **UNIT}, (said, why))
    raise ValueError(f"its output {axes} is neither 4 + {evidence.classes} classes nor rows of six numbers")


def _rtdetr_of_ultralytics(evidence: Evidence, said: str) -> Draft:
    """Draft for RT-DETR, whose boxes are fractions of a stretched photo, in either form of its rows."""
    name, axes = evidence.only_output
    values = evidence.seen.get(name)
    has_labels = axes[-1:] == (_ROW_WITH_CLASS,)
    if has_labels and evidence.classes == _ROW_WITH_CLASS - _BOX:
        if values is None:
            raise ValueError("it could not be run, and its six columns have two meanings")
        has_labels = bool((values[..., 5] == np.round(values[..., 5])).all())
    if not has_labels and axes[-1:] != (_BOX + evidence.classes,):
        raise ValueError(f"its output {axes[1:]} is neither 4 + {evidence.classes} classes nor rows of six numbers")
    columns: dict[str, Any] = {"boxes": f"{name}[0:4]", "box": "cxcywh", "unit": "fraction"}
    columns |= {"scores": f"{name}[4]", "labels": f"{name}[5]"} if has_labels else {"scores": f"{name}[4:]"}
    why = "RT-DETR there takes stretched photos and answers with fractions of them, with probabilities"
    return Draft("declared", columns, {"fit": "stretch", **UNIT}, (said, why))


def _is_v5_head(evidence: Evidence) -> bool:
    axes = _only(evidence)
    anchors = {3 * evidence.cells(8, 16, 32), 3 * evidence.cells(8, 16, 32, 64)}
    return not _is_of_ultralytics(evidence) and axes[-1:] == (evidence.classes + 5,) and axes[0] in anchors


def _v5(evidence: Evidence) -> Draft:
    rows, columns = _only(evidence)
    why = f"{rows:,} rows are three anchors a cell, {columns} columns a box, an objectness and the classes"
    return Draft("ultralytics", {"head": "v5", "iou_threshold": 0.45}, {**LETTERBOX, **UNIT}, (why,))


def _is_row_of_cells(evidence: Evidence) -> bool:
    axes = _only(evidence)
    return (
        not _is_of_ultralytics(evidence)
        and axes[-1:] == (evidence.classes + 5,)
        and axes[0] == evidence.cells(8, 16, 32)
    )


def _has_objectness(evidence: Evidence) -> bool:
    """Return whether the fifth column is a probability that varies; that of YOLOv6 is 1 everywhere."""
    values = evidence.seen.get(evidence.only_output[0])
    return values is None or bool((values[..., 4] != 1).any())


def _yolox(evidence: Evidence) -> Draft:
    name, _ = evidence.only_output
    if name not in evidence.seen:
        raise ValueError("it could not be run, which tells whether its boxes are decoded")
    cells = evidence.seen[name][0]
    # Centres in pixels spread over the whole input; offsets from a cell are a few at most.
    decoded = bool(cells[:, :2].max() > max(evidence.size_wh) / 2)
    why = f"{len(cells):,} rows are a cell each, {cells.shape[1]} columns a box, an objectness and the classes"
    form = f"boxes on a photo are {'pixels' if decoded else 'offsets from cells'}"
    given = {"fit": "letterbox_top_left", "pad": 114, "colour": "bgr"}
    return Draft("yolox", {"decoded": decoded}, given, (why, form))


def _yolov6(evidence: Evidence) -> Draft:
    name, axes = evidence.only_output
    columns = {"boxes": f"{name}[0:4]", "scores": f"{name}[5:]", "box": "cxcywh", "nms": 0.45}
    why = f"{axes[1]:,} rows are a cell each, and their objectness is 1 everywhere"
    return Draft("declared", columns, {**LETTERBOX, **UNIT}, (why,))


def _bins(evidence: Evidence) -> int:
    """Return the numbers a side of the boxes that NanoDet-Plus would have, 0 where it is none."""
    axes = _only(evidence)
    bins, rest = divmod(axes[-1] - evidence.classes, 4) if axes else (0, 1)
    return bins if not rest and bins > 1 and axes[0] == evidence.cells(8, 16, 32, 64) else 0


def _nanodet(evidence: Evidence) -> Draft:
    bins = _bins(evidence)
    values = evidence.seen.get(evidence.only_output[0])
    is_probability = values is None or bool(
        0 <= values[..., : evidence.classes].min() <= values[..., : evidence.classes].max() <= 1
    )
    decoding: dict[str, Any] = {"activation": "none" if is_probability else "sigmoid"}
    if bins != 8:  # noqa: PLR2004 the family's default
        decoding["bins"] = bins
    given = {"colour": "bgr", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]}
    rows = _only(evidence)[0]
    why = f"{rows:,} rows are a cell each of four levels, columns {evidence.classes} classes and 4 x {bins} bins"
    return Draft("nanodet_plus", decoding, given, (why,))


_SIZES = {"orig_target_sizes", "orig_size", "target_sizes"}


def _is_decoded_detr(evidence: Evidence) -> bool:
    return _named(evidence, "labels", "boxes", "scores") and bool(_SIZES & set(evidence.signature.others))


def _decoded_detr(evidence: Evidence) -> Draft:
    why = f"it has an input {', '.join(evidence.signature.others)} for the photo's size"
    return Draft("detr", {"activation": "none"}, UNIT, (why,))


def _is_torchvision(evidence: Evidence) -> bool:
    """Recognise boxes (K, 4), labels and scores (K,) without a batch, from an input with a batch."""
    axes = evidence.signature.outputs
    return (
        _named(evidence, "labels", "boxes", "scores")
        and not evidence.signature.others
        and [len(axes[name]) for name in ("boxes", "labels", "scores")] == [2, 1, 1]
    )


def _torchvision(evidence: Evidence) -> Draft:
    labels = evidence.seen.get("labels")
    if labels is not None and len(labels) and labels.min() < 1:
        raise ValueError("its labels start at 0, and those of torchvision at 1")
    columns = {"boxes": "boxes", "scores": "scores", "labels": "labels", "first_label": 1, "batched": False}
    why = "boxes, labels and scores have no batch: torchvision's networks scale and suppress by themselves"
    return Draft("declared", columns, UNIT, (why, "its label 1 is the first class, for 0 is the background"))


def _is_mmdet(evidence: Evidence) -> bool:
    axes = evidence.signature.outputs
    return (
        _named(evidence, "dets", "labels")
        and axes["dets"][-1:] == (5,)
        and len(axes["labels"]) == len(axes["dets"]) - 1
    )


def _mmdet(evidence: Evidence) -> Draft:
    columns: dict[str, Any] = {"boxes": "dets[0:4]", "scores": "dets[4]", "labels": "labels"}
    why = "dets has five columns, corners and score, and labels the classes: MMDeploy's form"
    return Draft("declared", columns, evidence.beside.input or None, (why,))


def _is_rf_detr(evidence: Evidence) -> bool:
    axes = evidence.signature.outputs
    return (
        _named(evidence, "dets", "labels")
        and axes["dets"][-1:] in {(4,), (0,)}
        and len(axes["labels"]) == len(axes["dets"]) == 3  # noqa: PLR2004 batch, queries, columns
    )


def _rf_detr(evidence: Evidence) -> Draft:
    names: dict[str, Any] = {"logits": "labels", "boxes": "dets"}
    columns, classes = evidence.outputs["labels"][-1], evidence.classes
    why = f"dets has the boxes of {evidence.outputs['dets'][1]} queries, labels their {columns} logits"
    if columns == classes:
        return Draft("detr", names, IMAGENET, (why,))
    if columns == max(_COCO_IDS) + 1 and classes == len(_COCO_IDS):
        return Draft("detr", {**names, "class_ids": _COCO_IDS}, IMAGENET, (why, "they are COCO's numbers, with gaps"))
    # Models trained on custom classes keep an unused last column.
    if columns == classes + 1:
        return Draft("detr", {**names, "class_ids": list(range(classes))}, IMAGENET, (why, "the last one is unused"))
    raise ValueError(f"it tells {columns} classes apart, and {classes} are named")


def _transformers(evidence: Evidence) -> Draft:
    columns, classes = evidence.outputs["logits"][-1], evidence.classes
    names: dict[str, Any] = {"boxes": "pred_boxes"}
    model_type = evidence.beside.model_type
    ids = evidence.beside.class_ids
    numbers = max(ids) + 1 if ids else classes
    if ids:
        names["class_ids"] = list(ids)
    why = f"logits has {columns} columns for {numbers} classes" + (
        f", config.json says {model_type}" if model_type else ""
    )
    if columns == numbers + 1 and (model_type in _SOFTMAX_TYPES or not model_type):
        names["activation"] = "softmax"
        why += ": the last one is for nothing"
    elif columns != numbers:
        raise ValueError(f"it tells {columns} classes apart, and {classes} are named")
    return Draft("detr", names, evidence.beside.input or None, (why,))


def _is_tensorflow(evidence: Evidence) -> bool:
    wanted = {"detection_boxes", "detection_scores", "detection_classes"}
    return wanted <= set(evidence.signature.outputs) and evidence.signature.layout == "nhwc"


def _tensorflow(evidence: Evidence) -> Draft:
    columns = {
        "boxes": "detection_boxes",
        "box": "yxyx",
        "unit": "fraction",
        "scores": "detection_scores",
        "labels": "detection_classes",
        "first_label": 1,
    }
    why = "its outputs are those of TensorFlow's object detection API, whose classes start at 1"
    return Draft("declared", columns, {}, (why,))


def _azure(evidence: Evidence) -> Draft:
    """Draft for Custom Vision, whose metadata says order and range of the pixels."""
    metadata = evidence.signature.metadata
    columns = {
        "boxes": "detected_boxes",
        "unit": "fraction",
        "scores": "detected_scores",
        "labels": "detected_classes",
        "batched": len(evidence.signature.outputs["detected_boxes"]) != 2,  # noqa: PLR2004 a matrix
    }
    colour = "bgr" if metadata.get("Image.BitmapPixelFormat", "").lower().startswith("bgr") else "rgb"
    scaled = {} if metadata.get("Image.NominalPixelRange") == "NominalRange_0_255" else UNIT
    why = "its outputs are those of Azure Custom Vision, and its metadata says order and range of colours"
    return Draft("declared", columns, {"colour": colour, **scaled}, (why,))


_NMS_NAMES = ("num_dets", "det_boxes", "det_scores", "det_classes")


def _efficient_nms(_evidence: Evidence) -> Draft:
    count, boxes, scores, labels = _NMS_NAMES
    columns = {"boxes": boxes, "scores": scores, "labels": labels, "count": count}
    why = "its outputs are those of EfficientNMS behind a YOLO: corners in pixels"
    return Draft("declared", columns, {**LETTERBOX, **UNIT}, (why,))


def _is_paddle(evidence: Evidence) -> bool:
    return "scale_factor" in evidence.signature.others


def _paddle(evidence: Evidence) -> Draft:
    rows = [name for name, axes in evidence.outputs.items() if axes[-1:] == (_ROW_WITH_CLASS,)]
    if len(rows) != 1:
        raise ValueError("it has no output with rows of class, score and corners. Export it with its suppression")
    name = rows[0]
    columns = {"boxes": f"{name}[2:6]", "scores": f"{name}[1]", "labels": f"{name}[0]", "batched": False}
    why = "it has an input scale_factor, and rows of class, score and corners: PaddleDetection's form"
    return Draft("declared", columns, evidence.beside.input or None, (why,))


EXPORTERS: Mapping[str, Exporter] = {
    "ultralytics": Exporter(
        "Ultralytics' `yolo export format=onnx` (YOLOv5u to 26, RT-DETR)", _is_of_ultralytics, _ultralytics
    ),
    "yolov5": Exporter("export.py of the repositories yolov5 and yolov7 (--grid)", _is_v5_head, _v5),
    "yolov6": Exporter(
        "YOLOv6's deploy/ONNX/export_onnx.py",
        lambda evidence: _is_row_of_cells(evidence) and not _has_objectness(evidence),
        _yolov6,
    ),
    "yolox": Exporter(
        "YOLOX' tools/export_onnx.py",
        lambda evidence: _is_row_of_cells(evidence) and _has_objectness(evidence),
        _yolox,
    ),
    "libreyolo": Exporter("LibreYOLO's `model.export()`", is_of_libreyolo, libreyolo),
    "nanodet": Exporter("NanoDet's tools/export_onnx.py", lambda evidence: _bins(evidence) > 0, _nanodet),
    "rtdetr": Exporter("tools/export_onnx.py of RT-DETR and D-FINE", _is_decoded_detr, _decoded_detr),
    "rfdetr": Exporter("RF-DETR's `model.export()`", _is_rf_detr, _rf_detr),
    "transformers": Exporter(
        "detectors of Hugging Face's transformers",
        lambda evidence: _named(evidence, "logits", "pred_boxes"),
        _transformers,
    ),
    "torchvision": Exporter("torch.onnx.export of torchvision's detectors", _is_torchvision, _torchvision),
    "mmdet": Exporter("MMDeploy for MMDetection", _is_mmdet, _mmdet),
    "tensorflow": Exporter("TensorFlow's object detection API through tf2onnx", _is_tensorflow, _tensorflow),
    "azure": Exporter(
        "Azure Custom Vision",
        lambda evidence: _named(evidence, "detected_boxes", "detected_scores", "detected_classes"),
        _azure,
    ),
    "efficient_nms": Exporter(
        "YOLO exports with the outputs of EfficientNMS", lambda evidence: _named(evidence, *_NMS_NAMES), _efficient_nms
    ),
    "paddle": Exporter("PaddleDetection through paddle2onnx", _is_paddle, _paddle),
}
