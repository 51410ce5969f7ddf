"""Exports of GluonCV against MXNet, which runs the whole symbol with its own box_nms.

Small networks of the structure of the real ones, so that this is quick (`tests/support/gluoncv_exports.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from detection.inference.boxes import pixel_box
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.families.gluoncv import decode
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.types import Detections, FloatArray, ImageArray
from tests.oracle.mxnet_runner import run_symbol
from tests.support.checkpoints import SAMPLE_PHOTO
from tests.support.gluoncv_exports import EDGE, MEAN, STD, Export, small_ssd, small_yolo3, write_export

PHOTO_WH = (451, 300)
EXPORTS: dict[str, tuple[Callable[[], Export], str]] = {
    "ssd": (small_ssd, "nchw"),
    "ssd with its preprocessing": (lambda: small_ssd(preprocess=True), "nhwc"),
    "ssd before box_decode": (lambda: small_ssd(split=True), "nchw"),
    "ssd that suppresses across classes": (lambda: small_ssd(nms={"force_suppress": True}), "nchw"),
    "ssd that keeps all": (lambda: small_ssd(nms={"topk": -1, "overlap_thresh": 0.3, "valid_thresh": 0.1}), "nchw"),
    "yolo3": (small_yolo3, "nchw"),
    "yolo3 with its preprocessing": (lambda: small_yolo3(preprocess=True), "nhwc"),
    "yolo3 that keeps all": (lambda: small_yolo3(nms={"topk": -1, "overlap_thresh": 0.6}), "nchw"),
}


@dataclass(frozen=True)
class Answer:
    """What MXNet makes of a photo: what box_nms takes, (R, 6), and what the export answers of it, (K, 6)."""

    rows: FloatArray
    found: FloatArray


def photos() -> ImageArray:
    """The sample photo, mirrored, turned, and noise, (5, EDGE, EDGE, 3)."""
    with Image.open(SAMPLE_PHOTO) as photo:
        cat = np.asarray(photo.convert("RGB").resize((EDGE, EDGE)))
    noise = np.random.default_rng(7).integers(0, 256, (2, *cat.shape), dtype=np.uint8)
    return np.stack([cat, cat[:, ::-1], cat.transpose(1, 0, 2), *noise])


def run_mxnet(folder: Path, export: Export, photo: ImageArray, layout: str) -> Answer:
    """GluonCV's own preparation of a photo (ToTensor, Normalize), or the raw photo, then the whole symbol."""
    symbol, arguments, auxiliaries = mx.model.load_checkpoint(str(folder / "net"), 0)
    data = photo[None].astype(np.float32)
    if layout == "nchw":
        mean, std = (np.array(numbers, np.float32) / np.float32(255) for numbers in (MEAN, STD))
        data = ((data / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    rows = symbol.get_internals()[f"{export.net.nodes[export.rows]['name']}_output"]
    group = mx.sym.Group([rows, *symbol])
    every, ids, scores, boxes = run_symbol(group, {**arguments, "data": mx.nd.array(data)}, auxiliaries)
    kept = ids[0, :, 0] >= 0
    return Answer(every[0], np.concatenate([ids[0], scores[0], boxes[0]], axis=1)[kept])


def corners(boxes_unit: FloatArray) -> list[tuple[int, int, int, int]]:
    placed = [pixel_box(box, PHOTO_WH) for box in boxes_unit]
    return [(box.x, box.y, box.x + box.width, box.y + box.height) for box in placed]


def objects(network: Network, rows: FloatArray) -> Detections:
    return decode({"rows": rows}, network, 0.0)


@pytest.mark.parametrize("engine_name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("case", EXPORTS)
def test_an_export_gives_mxnets_detections(case: str, engine_name: str, tmp_path: Path) -> None:
    build, layout = EXPORTS[case]
    export = build()
    folder = write_export(tmp_path / "net", export, layout=layout)
    network = open_model(ModelSource(folder), tmp_path / "cache")
    engine = create_engine(network, EngineOptions(engine=engine_name))
    compared = 0
    for photo in photos():
        expected = run_mxnet(folder, export, photo, layout)
        rows = engine.infer(photo[None])["rows"][0]
        assert_spread(expected.rows)
        np.testing.assert_allclose(rows, expected.rows, rtol=1e-4, atol=1e-4)
        found = objects(network, rows)
        compared += len(found)
        assert found.class_ids.tolist() == expected.found[:, 0].tolist()
        np.testing.assert_allclose(found.scores, expected.found[:, 1], rtol=0, atol=1e-4)
        boxes = np.clip(expected.found[:, 2:] / np.float32(EDGE), 0, 1).astype(np.float32)
        assert corners(found.boxes_xyxy_unit) == corners(boxes)
    engine.close()
    assert compared > 50


@pytest.mark.parametrize("case", EXPORTS)
def test_decoding_mxnets_own_rows_gives_its_detections_exactly(case: str, tmp_path: Path) -> None:
    build, layout = EXPORTS[case]
    export = build()
    folder = write_export(tmp_path / "net", export, layout=layout)
    network = open_model(ModelSource(folder), tmp_path / "cache")
    for photo in photos():
        expected = run_mxnet(folder, export, photo, layout)
        found = objects(network, expected.rows)
        assert found.class_ids.tolist() == expected.found[:, 0].tolist()
        assert found.scores.tolist() == expected.found[:, 1].tolist()
        np.testing.assert_array_equal(found.boxes_xyxy_unit, np.clip(expected.found[:, 2:] / np.float32(EDGE), 0, 1))


def assert_spread(rows: FloatArray) -> None:
    """The weights test something: scores of all sizes, classes that differ, boxes that have areas and overlap."""
    scores, sizes = rows[:, 1], rows[:, 4:] - rows[:, 2:4]
    assert np.quantile(scores, 0.25) < 0.2
    assert np.quantile(scores, 0.95) > 0.4
    assert set(rows[scores > 0.3, 0]) == {0, 1, 2}
    assert 20 < np.median(sizes[:, 0] * sizes[:, 1]) < EDGE**2
