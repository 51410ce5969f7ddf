"""The declared family: outputs as exporters write them, built from known objects, give these objects again."""

import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.declaration import Declaration
from detection.inference.families.declaration_checks import require_plausible
from detection.inference.families.declared import check, decode
from detection.inference.families.registry import FAMILIES
from detection.inference.types import Detections
from tests.inference.families.networks import network_of
from tests.inference.families.reference import cells
from tests.inference.paths import REPOSITORY

WIDTH, HEIGHT = SIZE_WH = (96, 64)
STRIDES = (8, 16, 32)
Object = tuple[int, float, tuple[float, float, float, float]]
Outputs = dict[str, Any]
# Class, probability and corners in pixels, the most probable first; all apart.
OBJECTS: list[Object] = [
    (2, 0.9, (4.0, 10.0, 20.0, 40.0)),
    (0, 0.8, (40.0, 8.0, 60.0, 28.0)),
    (1, 0.6, (70.0, 30.0, 90.0, 60.0)),
    (2, 0.3, (30.0, 36.0, 56.0, 58.0)),
]


def fractions(box: Sequence[float]) -> list[float]:
    return [value / side for value, side in zip(box, (WIDTH, HEIGHT) * 2, strict=True)]


def centred(box: Sequence[float]) -> list[float]:
    left, top, right, bottom = box
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def turned(box: Sequence[float]) -> list[float]:
    return [box[1], box[0], box[3], box[2]]


def one_hot(class_id: int, score: float, columns: int = 3, rest: float = 0.0) -> list[float]:
    return [score if column == class_id else rest for column in range(columns)]


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def array(rows: Any) -> Any:
    return np.array(rows, np.float32)


def padded(rows: list[list[float]], filling: float = 0.0, count: int = 9) -> Any:
    return array(rows + [[filling] * len(rows[0])] * (count - len(rows)))


def each(form: Callable[[int, float, tuple[float, float, float, float]], list[float]]) -> list[list[float]]:
    return [form(*found) for found in OBJECTS]


def column(values: list[list[float]]) -> Any:
    return array(values)[:, 0]


BOXES = each(lambda _class, _score, box: list(box))
SCORES = each(lambda _class, score, _box: [score])
LABELS = each(lambda label, _score, _box: [label])
YOLO = each(lambda label, score, box: [*centred(box), 0.95, *one_hot(label, score / 0.95)])


def yolox() -> Any:
    """Each object in another cell, relative to it."""
    grid = cells(SIZE_WH, STRIDES)
    rows = np.zeros((len(grid), 8))
    for place, (values, (x, y, stride)) in enumerate(zip(YOLO, grid[5:], strict=False), start=5):
        rows[place] = [
            values[0] / stride - x,
            values[1] / stride - y,
            *np.log(np.array(values[2:4]) / stride),
            *values[4:],
        ]
    return array(rows)


def rtmdet() -> Outputs:
    """Distances of each object's sides from the corner of the cell in its middle; maps with the channels first."""
    outputs: Outputs = {}
    for stride, (label, score, (left, top, right, bottom)) in zip(STRIDES, OBJECTS[:3], strict=True):
        rows, columns = HEIGHT // stride, WIDTH // stride
        x, y = int((left + right) / 2 / stride), int((top + bottom) / 2 / stride)
        scores, boxes = np.full((3, rows, columns), -9.0), np.ones((4, rows, columns))
        scores[label, y, x] = logit(score)
        boxes[:, y, x] = [x * stride - left, y * stride - top, right - x * stride, bottom - y * stride]
        outputs |= {f"cls_{stride}": array(scores), f"reg_{stride}": array(boxes)}
    return outputs


def efficient_nms(filling: float) -> Outputs:
    return {
        "num_dets": np.array([4], np.int32),
        "det_boxes": padded(BOXES, filling),
        "det_scores": padded(SCORES, filling)[:, 0],
        "det_classes": padded(LABELS, filling)[:, 0].astype(np.int32),
    }


def softmax_logits() -> Any:
    """Three classes and nothing: the shares are those of the objects."""
    return array(each(lambda label, score, _box: [*np.log(one_hot(label, score, rest=0.01)), np.log(0.98 - score)]))


UNIT_CENTRED = array(each(lambda _label, _score, box: centred(fractions(box))))
LOGITS = array(each(lambda label, score, _box: one_hot(label, logit(score), rest=-9)))
EXPORTS: dict[str, Callable[[], Outputs]] = {
    "Ultralytics YOLOv8, 9, 11, 12": lambda: {
        "output0": padded(each(lambda label, score, box: [*centred(box), *one_hot(label, score)])).T
    },
    "YOLOv5, YOLOv6, YOLOv7 with `--grid`, decoded YOLOX": lambda: {"output": padded(YOLO)},
    "YOLOv10, YOLO26, Ultralytics with `nms=True`": lambda: {
        "output0": padded(each(lambda label, score, box: [*box, score, label]))
    },
    "Ultralytics RT-DETR": lambda: {
        "output0": array(each(lambda label, score, box: [*centred(fractions(box)), *one_hot(label, score)]))
    },
    "YOLOX": lambda: {"output": yolox()},
    "YOLOv7 with `--end2end --max-wh`": lambda: {
        "output": array(each(lambda label, score, box: [0, *box, label, score]))
    },
    "TensorRT's EfficientNMS, YOLO-NAS, YOLOv7 with `--end2end`": lambda: efficient_nms(-1),
    "YOLO-NAS in the flat format": lambda: {
        "graph2_flat_predictions": array(each(lambda label, score, box: [0, *box, score, label]))
    },
    "YOLO-NAS without its postprocessing": lambda: {
        "pred_bboxes": array(BOXES),
        "pred_scores": array(each(lambda label, score, _box: one_hot(label, score))),
    },
    "YOLOv4": lambda: {
        "boxes": array(each(lambda _label, _score, box: fractions(box)))[:, None],
        "confs": array(each(lambda label, score, _box: one_hot(label, score))),
    },
    "torchvision's SSD, RetinaNet, FCOS, Faster R-CNN": lambda: {
        "boxes": array(BOXES),
        "scores": column(SCORES),
        "labels": column(LABELS).astype(np.int64) + 1,
    },
    "Detectron2": lambda: {
        "pred_boxes": array(BOXES),
        "scores": column(SCORES),
        "pred_classes": column(LABELS).astype(np.int64),
        "image_size": np.array([HEIGHT, WIDTH]),
    },
    "mmdeploy": lambda: {
        "dets": padded(each(lambda _label, score, box: [*box, score])),
        "labels": padded(LABELS, -1)[:, 0].astype(np.int64),
    },
    "RTMDet without its postprocessing": rtmdet,
    "DETR": lambda: {"pred_boxes": UNIT_CENTRED, "logits": softmax_logits()},
    "Conditional, Deformable, DAB DETR, RT-DETR, D-FINE of Hugging Face": lambda: {
        "pred_boxes": UNIT_CENTRED,
        "logits": LOGITS,
    },
    "RT-DETR, D-FINE by `tools/export_onnx.py`": lambda: {
        "boxes": array(BOXES),
        "scores": column(SCORES),
        "labels": column(LABELS).astype(np.int64),
    },
    "RF-DETR": lambda: {"dets": UNIT_CENTRED, "labels": np.pad(LOGITS, ((0, 0), (1, 1)), constant_values=-8)},
    "TensorFlow's object detection API": lambda: {
        "num_detections": np.float32(4),
        "detection_boxes": padded(each(lambda _label, _score, box: turned(fractions(box)))),
        "detection_scores": padded(SCORES)[:, 0],
        "detection_classes": padded(each(lambda label, _score, _box: [label + 1]), 1)[:, 0],
    },
    "EfficientDet of google/automl": lambda: {
        "detections": padded(each(lambda label, score, box: [0, *turned(box), score, label + 1]))
    },
    "SSD of the ONNX model zoo": lambda: {
        "bboxes": array(each(lambda _label, _score, box: fractions(box))),
        "scores": column(SCORES),
        "labels": column(LABELS).astype(np.int64) + 1,
    },
    "Azure Custom Vision, General (compact) [S1]": lambda: {
        "detected_boxes": array(each(lambda _label, _score, box: fractions(box))),
        "detected_scores": column(SCORES),
        "detected_classes": column(LABELS).astype(np.int64),
    },
    "PP-YOLOE, RT-DETR of PaddleDetection": lambda: {
        "multiclass_nms3_0.tmp_0": padded(each(lambda label, score, box: [label, score, *box]), 5),
        "multiclass_nms3_0.tmp_2": np.array([4], np.int32),
    },
    "PP-YOLOE without its NMS": lambda: {
        "tmp_17": array(BOXES),
        "concat_14.tmp_0": array(each(lambda label, score, _box: one_hot(label, score))).T,
    },
}


def documented() -> dict[str, str]:
    """The table of docs/models.md: what wrote the outputs, and its `[decoding]`."""
    text = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| outputs of \| `\[decoding\]` \|\n\|---\|---\|\n((?:\|.*\n)+)", text)
    return dict(re.findall(r"\| (.+?) \| `(boxes.+|count.+|labels.+)` \|", table))


def declared(text: str) -> Declaration:
    given = tomllib.loads(f"decoding = {{ {text} }}")["decoding"]
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Declaration(**values)


def assert_found(found: Detections, expected: Sequence[Object] = OBJECTS) -> None:
    assert found.class_ids.tolist() == [label for label, _, _ in expected]
    np.testing.assert_allclose(found.scores, [score for _, score, _ in expected], rtol=1e-4)
    np.testing.assert_allclose(found.boxes_xyxy_unit, [fractions(box) for _, _, box in expected], atol=1e-5)
    assert found.boxes_xyxy_unit.dtype == found.scores.dtype == np.float32


def test_every_documented_declaration_is_tested() -> None:
    assert list(documented()) == list(EXPORTS)


@pytest.mark.parametrize("export", EXPORTS)
def test_objects_are_found_in_the_outputs_of(export: str) -> None:
    network = network_of("declared", declared(documented()[export]), SIZE_WH)
    outputs = EXPORTS[export]()
    check(outputs, network)
    require_plausible(network.decoding, outputs, network)
    assert_found(decode(outputs, network, 0.2), OBJECTS[:3] if export.startswith("RTMDet") else OBJECTS)
    assert len(decode(outputs, network, 0.7)) == 2


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_numbers_of_another_type_are_read(dtype: Any) -> None:
    network = network_of("declared", declared(documented()["mmdeploy"]), SIZE_WH)
    outputs = {name: values.astype(dtype) for name, values in EXPORTS["mmdeploy"]().items()}
    found = decode(outputs, network, 0.2)
    assert found.scores.dtype == found.boxes_xyxy_unit.dtype == np.float32
    assert found.class_ids.tolist() == [2, 0, 1, 2]


def test_boxes_are_cut_off_after_the_suppression() -> None:
    """Cut off, the two would be the same box; the projects compare them as the network answers."""
    rows = array([[-200, 0, 40, 60, 0.9, 0, 0], [-10, 0, 40, 60, 0.8, 0, 0]])
    network = network_of("declared", Declaration("out[0:4]", "out[4:]", nms=0.5), SIZE_WH)
    found = decode({"out": rows}, network, 0.1)
    assert len(found) == 2
    assert (
        found.boxes_xyxy_unit[0].tolist()
        == found.boxes_xyxy_unit[1].tolist()
        == array(fractions((0, 0, 40, 60))).tolist()
    )


def test_an_export_that_found_nothing_is_not_refused() -> None:
    network = network_of("declared", declared(documented()["Detectron2"]), SIZE_WH)
    outputs: Outputs = {
        "pred_boxes": np.zeros((0, 4), np.float32),
        "scores": np.zeros(0, np.float32),
        "pred_classes": np.zeros(0, np.int64),
    }
    check(outputs, network)
    require_plausible(network.decoding, outputs, network)
    assert len(decode(outputs, network, 0.0)) == 0


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no boxes": ({"boxes": ""}, "boxes and scores have to name an output"),
    "a number": ({"boxes": 3}, "boxes has to be an output or its columns"),
    "a list of numbers": ({"boxes": (3,)}, "boxes has to be an output or its columns"),
    "a list in a list": ({"boxes": (["a"],)}, "boxes has to be an output or its columns"),
    "backwards": ({"boxes": "out[4:0]"}, "the second number has to be the larger one"),
    "box": ({"box": "xywh"}, "box has to be one of xyxy, yxyx, cxcywh, ltrb"),
    "unit": ({"unit": "metre"}, "unit has to be one of"),
    "activation": ({"activation": "relu"}, "activation has to be one of"),
    "background": ({"background": "middle"}, "background has to be one of first, last"),
    "turned": ({"turned": "other"}, "turned has to be true, false, or names of outputs"),
    "turned list": ({"turned": ([],)}, "turned has to be true, false, or names of outputs"),
    "nms": ({"nms": 45}, "nms has to be a number from 0 to 1"),
    "batched": ({"batched": "no"}, "batched have to be true or false"),
    "first_label": ({"labels": "out[5]", "first_label": -1}, "first_label has to be a whole number"),
    "first_label without labels": ({"first_label": 1}, "first_label goes with labels"),
    "labels and several": ({"labels": "out[5]", "multi_label": True}, "labels with one score for each row"),
    "softmax without background": ({"activation": "softmax"}, 'activation = "softmax" needs background'),
    "a column twice": ({"labels": "out[3]"}, "boxes and labels name the same column of out"),
    "a column in all": ({"scores": "out"}, "boxes and scores name the same column of out"),
    "class_ids twice": ({"class_ids": (1, 1)}, "class_ids has to be a list of different whole numbers"),
    "class_ids and first_label": (
        {"labels": "out[5]", "first_label": 1, "class_ids": (1, 2, 3)},
        "first_label and class_ids say the same",
    ),
    "strides for nothing": ({"strides": (8,)}, "strides belong to"),
    "no strides": ({"unit": "stride", "box": "cxcywh"}, "strides belong to"),
    "strides and corners": ({"unit": "stride", "strides": (8,)}, 'unit = "stride" goes with'),
    "distances in fractions": ({"box": "ltrb", "unit": "fraction", "strides": (8,)}, 'box = "ltrb" goes with'),
    "top": ({"top": 0}, "top has to be a whole number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_declarations_that_make_no_sense_are_refused(case: str) -> None:
    values, reason = WRONG[case]
    with pytest.raises(ValueError, match=re.escape(reason)):
        Declaration(**{"boxes": "out[0:4]", "scores": "out[4]", **values})


OUT = padded(each(lambda label, score, box: [*box, score, label]))
REFUSED: dict[str, tuple[dict[str, Any], Outputs, str]] = {
    "no such output": (
        {"boxes": "output1[0:4]"},
        {"out": OUT},
        "small cannot be decoded: `boxes` is the output output1, and its outputs are out (9, 6). Correct boxes under "
        "[decoding] in its card.",
    ),
    "column beyond": (
        {"labels": "out[6]"},
        {"out": OUT},
        "`labels` is the columns 6 to 6 of out, and out (9, 6) has 6",
    ),
    "three columns": ({"boxes": "out[0:3]"}, {"out": OUT}, "`boxes` has 3 columns where a box has 4"),
    "two labels": (
        {"labels": "more"},
        {"out": OUT, "more": np.zeros((9, 2), np.float32)},
        "`labels` has 2 columns where it needs one",
    ),
    "scores for a class each": ({"labels": ""}, {"out": OUT}, "`scores` has 1 columns, and 3 classes need 3"),
    "background": (
        {"labels": "", "scores": "more", "background": "first"},
        {"out": OUT, "more": np.zeros((9, 3), np.float32)},
        "3 classes and a background need 4",
    ),
    "class_ids": (
        {"labels": "", "scores": "more", "class_ids": (1, 2, 3)},
        {"out": OUT, "more": np.zeros((9, 3), np.float32)},
        "`class_ids` go up to 3, and `scores` has 3 columns",
    ),
    "two class_ids": ({"class_ids": (1, 2)}, {"out": OUT}, "it has 3 classes and 2 class_ids"),
    "rows": (
        {"labels": "", "scores": "more"},
        {"out": OUT, "more": np.zeros((8, 3), np.float32)},
        "the numbers of rows disagree: boxes 9, scores 8",
    ),
    "logits": ({"labels": "", "scores": "more"}, {"out": OUT, "more": OUT[:, :3]}, "where the family declared has"),
    "labels": ({"labels": "more"}, {"out": OUT, "more": OUT[:, 0]}, "answers with class 70, and its card knows 0 to 2"),
    "count": ({"count": "n"}, {"out": OUT, "n": np.array([10])}, "`count` is 10, and there are 9 rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_declaration_is_told_in_one_sentence(case: str) -> None:
    values, outputs, sentence = REFUSED[case]
    decoding = Declaration(**{"boxes": "out[0:4]", "scores": "out[4]", "labels": "out[5]", **values})
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        check(outputs, network_of("declared", decoding, SIZE_WH))


def test_it_is_registered() -> None:
    assert FAMILIES["declared"].decoding is Declaration
