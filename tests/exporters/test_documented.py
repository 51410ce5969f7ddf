"""Exports of projects whose packages are not at hand, in the form that their sources document: `model_card` describes
them, and two known objects are found.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from onnx import TensorProto, helper, numpy_helper

from detection.inference.cards.card import read_card
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource
from tests.support import photos

EDGE = 64
NAMES = ("cat", "dog", "bird")
# Corners in pixels, class, score.
OBJECTS = ((4.0, 6.0, 36.0, 26.0, 2, 0.9), (30.0, 34.0, 58.0, 62.0, 0, 0.7))
CORNERS = np.array([each[:4] for each in OBJECTS], np.float32)
CENTRES = np.concatenate([(CORNERS[:, :2] + CORNERS[:, 2:]) / 2, CORNERS[:, 2:] - CORNERS[:, :2]], axis=1)
LABELS, SCORES = np.array([2, 0]), np.array([0.9, 0.7], np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS] * SCORES[:, None]
NOTHING = np.zeros((2, 4), np.float32)


def export(folder: Path, outputs: dict[str, Any], *, photo: Any = None, others: Any = (), metadata: Any = None) -> Path:
    """A file that answers these outputs, as they are, to any photo."""
    axes, kind = photo or ((1, 3, EDGE, EDGE), TensorProto.FLOAT)
    nodes = [
        helper.make_node("Cast", ["photo"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=list(range(len(axes))), keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
    infos = []
    for name, array in outputs.items():
        kind_of = helper.np_dtype_to_tensor_dtype(array.dtype)
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}_is"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_nothing"], to=kind_of))
        nodes.append(helper.make_node("Add", [f"{name}_is", f"{name}_nothing"], [name]))
        infos.append(helper.make_tensor_value_info(name, kind_of, array.shape))
    inputs = [helper.make_tensor_value_info("photo", kind, axes)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)) for name in others]
    model = helper.make_model(
        helper.make_graph(nodes, "constant", inputs, infos, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, dict(metadata or {}))
    folder.mkdir()
    onnx.save(model, folder / "net.onnx")
    (folder / "labels.txt").write_text("\n".join(NAMES), encoding="utf-8")
    return folder


def rows(*columns: Any, count: int = 0) -> Any:
    """Columns side by side, as a batch of one, filled up with zeros to `count` rows."""
    table = np.column_stack(columns).astype(np.float32)
    return np.concatenate([table, np.zeros((max(count - len(table), 0), table.shape[1]), np.float32)])[None]


# Its objectness is 1 everywhere, in cells without an object too.
YOLOV6 = rows(CENTRES, [1, 1], ONE_HOT, count=84)
YOLOV6[..., 4] = 1
PIPELINE = {
    "pipeline": {
        "tasks": [{"transforms": [{"type": "Normalize", "mean": [0, 0, 0], "std": [255] * 3, "to_rgb": True}]}]
    }
}
INFER_CFG = {"Preprocess": [{"type": "NormalizeImage", "mean": [0, 0, 0], "std": [1, 1, 1], "is_scale": True}]}
BYTES = ((1, EDGE, EDGE, 3), TensorProto.UINT8)
CUSTOM_VISION = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}
ULTRALYTICS = {"author": "Ultralytics", "description": "Ultralytics rtdetr-l model", "task": "detect"}
SIGMOID = np.log(np.clip(ONE_HOT, 0.001, 0.999) / (1 - np.clip(ONE_HOT, 0.001, 0.999)))


def libreyolo(name: str) -> dict[str, str]:
    """The metadata that LibreYOLO writes, as far as it is read."""
    return {"libreyolo_version": "1.6.0", "model_family": name, "task": "detect"}


# Outputs, further arguments of `export`, files beside, what the card has to say of the input.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Ultralytics RT-DETR before 8.4": (
        {"output0": rows(CENTRES / EDGE, ONE_HOT, count=300)},
        {"metadata": ULTRALYTICS},
        {},
        {"fit": "stretch", "std": (255, 255, 255)},
    ),
    "YOLOv6": (
        {"outputs": YOLOV6},
        {},
        {},
        {"fit": "letterbox", "std": (255, 255, 255)},
    ),
    "MMDeploy": (
        {"dets": rows(CORNERS, SCORES, count=9), "labels": np.array([[*LABELS, *[0] * 7]])},
        {},
        {"pipeline.json": PIPELINE},
        {"std": (255, 255, 255)},
    ),
    "TensorFlow's object detection": (
        {
            "detection_boxes": rows(CORNERS[:, [1, 0, 3, 2]] / EDGE, count=9),
            "detection_classes": np.array([[*LABELS + 1, *[1] * 7]], np.float32),
            "detection_scores": np.array([[*SCORES, *[0] * 7]], np.float32),
            "num_detections": np.array([9], np.float32),
        },
        {"photo": BYTES},
        {},
        {"dtype": "uint8", "layout": "nhwc", "std": (1, 1, 1)},
    ),
    "Azure Custom Vision": (
        {"detected_boxes": CORNERS / EDGE, "detected_classes": LABELS, "detected_scores": SCORES},
        {"metadata": CUSTOM_VISION},
        {},
        {"colour": "bgr", "std": (1, 1, 1)},
    ),
    "EfficientNMS": (
        {
            "num_dets": np.array([[2]], np.int32),
            "det_boxes": rows(CORNERS, count=9),
            "det_scores": np.array([[*SCORES, *[0] * 7]], np.float32),
            "det_classes": np.array([[*LABELS, *[0] * 7]], np.int32),
        },
        {},
        {},
        {"fit": "letterbox", "std": (255, 255, 255)},
    ),
    "PaddleDetection": (
        {"multiclass_nms3_0.tmp_0": rows(LABELS, SCORES, CORNERS)[0]},
        {"others": ["scale_factor"]},
        {"infer_cfg.yml": INFER_CFG},
        {"std": (255, 255, 255)},
    ),
    "LibreYOLO's YOLO9": (
        {"output": rows(CORNERS, ONE_HOT, count=84).transpose(0, 2, 1)},
        {"metadata": libreyolo("yolo9")},
        {},
        {"fit": "letterbox_top_left", "std": (255, 255, 255)},
    ),
    "LibreYOLO's YOLO-NAS": (
        {"pred_logits": rows(CORNERS, count=84), "pred_boxes": rows(ONE_HOT, count=84)},
        {"metadata": libreyolo("yolonas")},
        {},
        {"fit": "letterbox", "std": (255, 255, 255)},
    ),
    "LibreYOLO's RTMDet": (
        {"output": rows(CORNERS, ONE_HOT, count=84)},
        {"metadata": libreyolo("rtmdet")},
        {},
        {"fit": "letterbox_top_left", "colour": "bgr", "std": (57.375, 57.12, 58.395)},
    ),
    "LibreYOLO's PP-YOLOE": (
        {"boxes": rows(CORNERS, count=84), "scores": rows(ONE_HOT, count=84)},
        {"metadata": libreyolo("ppyoloe")},
        {},
        {"fit": "stretch", "std": (58.395, 57.12, 57.375)},
    ),
    "LibreYOLO's D-FINE": (
        {"pred_logits": SIGMOID[None], "pred_boxes": (CENTRES / EDGE)[None]},
        {"metadata": libreyolo("dfine")},
        {},
        {"fit": "stretch", "std": (255, 255, 255)},
    ),
    "RT-DETR of Hugging Face": (
        {"logits": SIGMOID[None], "pred_boxes": (CENTRES / EDGE)[None]},
        {},
        {"preprocessor_config.json": {"do_normalize": False, "rescale_factor": 1 / 255}},
        {"std": (255, 255, 255)},
    ),
}


def described(folder: Path, *arguments: str) -> Any:
    call_command("model_card", str(folder), *arguments, stdout=io.StringIO())
    return read_card(folder)


@pytest.mark.parametrize("case", CASES)
def test_a_documented_export_is_described_and_its_objects_found(case: str, tmp_path: Path) -> None:
    outputs, more, beside, given = CASES[case]
    folder = export(tmp_path / "net", outputs, **more)
    for name, said in beside.items():
        (folder / name).write_text(json.dumps(said), encoding="utf-8")
    card = described(folder)
    assert {key: getattr(card.input, key) for key in given} == given
    detector = load_detector(DetectorOptions(ModelSource(folder), tmp_path / "cache", EngineOptions("onnxruntime")))
    found = detector.detect(photos.encode(photos.noise((EDGE, EDGE)), "PNG"), min_probability=0.1).objects
    detector.close()
    assert [each.class_id for each in found] == [2, 0]
    assert [each.probability for each in found] == pytest.approx(SCORES, abs=1e-3)
    assert np.array([each.box_xyxy_unit for each in found]) * EDGE == pytest.approx(CORNERS, abs=0.05)


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "DETRs without their processor": (CASES["RT-DETR of Hugging Face"][0], {}, "nothing says how photos are scaled"),
    "MMDeploy without its pipeline": (CASES["MMDeploy"][0], {}, "nothing says how photos are scaled"),
    "labels from 0 like torchvision's": (
        {"boxes": CORNERS, "labels": LABELS, "scores": SCORES},
        {},
        "its labels start at 0, and those of torchvision at 1",
    ),
    "RT-DETR without a size": (
        {"boxes": CORNERS[None], "labels": LABELS[None] + 1, "scores": SCORES[None]},
        {},
        "not plain whether its classes start at 0",
    ),
    "six columns whose classes may start at 1": (
        {"detections": rows(CORNERS, SCORES, LABELS + 1, count=9)},
        {},
        "`first_label` under",
    ),
    "a raw EfficientDet": (
        {
            f"{name}_{side}": np.full((1, columns, side, side), 0.5, np.float32)
            for name, columns in (("class", 27), ("box", 36))
            for side in (8, 4)
        },
        {},
        "export it with that",
    ),
    "neither as many classes": ({"output": rows(CORNERS, ONE_HOT, ONE_HOT, count=30)}, {}, "neither 4 nor 5 more than"),
    "boxes relative to anchors": (
        {"boxes": np.full((1, 300, 4), 3.0, np.float32), "scores": np.full((1, 300, 3), 0.5, np.float32)},
        {},
        "relative to cells or anchors",
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_is_not_plain_is_asked_for_and_no_card_is_left(case: str, tmp_path: Path) -> None:
    outputs, more, sentence = ASKED[case]
    folder = export(tmp_path / "net", outputs, **more)
    with pytest.raises(CommandError, match=sentence):
        described(folder)
    assert not (folder / "model.toml").exists()


def test_shapes_and_numbers_describe_what_no_preset_knows(tmp_path: Path) -> None:
    folder = export(tmp_path / "net", {"pred_bboxes": rows(CORNERS, count=84), "pred_scores": rows(ONE_HOT, count=84)})
    decoding = described(folder, "--pixels", "byte", "--colour", "bgr").decoding
    assert (decoding.boxes, decoding.scores, decoding.box, decoding.unit) == (
        "pred_bboxes",
        "pred_scores",
        "xyxy",
        "pixel",
    )
