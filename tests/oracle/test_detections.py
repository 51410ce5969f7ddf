"""The whole way against MXNet: same photo in, the same detections out, as many and to the pixel.

Through ONNX Runtime one of 1,523 is elsewhere: of two anchors on one object with the same score but for float rounding,
the other one wins.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import mxnet  # noqa: F401 - before the engines: its absence skips this folder
import numpy as np
import pytest
from PIL import Image, ImageOps

from detection.inference.boxes import decode_boxes, pixel_box
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.errors import EngineError
from detection.inference.network import Network
from detection.inference.photos.preprocess import stretch
from detection.inference.types import Detections, FloatArray, ImageArray
from tests.inference.paths import EMBEDDED_PREFIX, REPOSITORY, SHARED
from tests.oracle.mxnet_runner import run_checkpoint

EDGE = 300
SAMPLE = REPOSITORY / "static" / "detection" / "samples" / "chelsea.jpg"
ANNOTATED = SHARED / "annotated" / "images"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return prepare_network(EMBEDDED_PREFIX, 0, EDGE, tmp_path_factory.mktemp("cache"))


def test_a_model_that_is_no_checkpoint_of_mxnet_is_refused_with_a_sentence(network: Network) -> None:
    with pytest.raises(EngineError, match=r"runs checkpoints of MXNet, and nanodet_plus_m is none\. Set MODEL_PREFIX"):
        create_engine(replace(network, name="nanodet_plus_m", family="nanodet_plus"), EngineOptions(engine="mxnet"))


def load(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def sample_photos() -> list[Image.Image]:
    """What ships: one photo, seen in ways that give different detections."""
    photo = load(SAMPLE)
    width, height = photo.size
    return [
        photo,
        ImageOps.mirror(photo),
        photo.rotate(90, expand=True),
        photo.crop((0, 0, width // 2, height)),
        ImageOps.expand(photo, 300, (90, 90, 90)),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)),
    ]


def annotated_photos() -> list[Image.Image]:
    if not ANNOTATED.is_dir():
        pytest.skip("needs ../shared/annotated, photos that do not ship")
    return [load(path) for path in sorted(ANNOTATED.glob("*.jpg"))]


@dataclass
class Comparison:
    """How many detections were compared, how many of their corners are a pixel off, and how many are elsewhere."""

    detections: int = 0
    corners_off: int = 0
    elsewhere: int = 0


def compare(photos: list[Image.Image], network: Network, engine_name: str) -> Comparison:
    """Asserts that each photo has as many detections of each class as in MXNet, with the same scores."""
    batch_rgb = np.stack([stretch(photo, (EDGE, EDGE)) for photo in photos])
    found = detect(network, engine_name, batch_rgb)
    result = Comparison()
    for index, photo in enumerate(photos):
        expected = run_checkpoint(network.prefix, network.epoch, batch_rgb[index : index + 1]).found(0)
        ours = rows(found[index].class_ids, found[index].scores, found[index].boxes_xyxy_unit, photo)
        theirs = rows(expected[:, 0], expected[:, 1], expected[:, 2:], photo)
        assert ours[:, 0].tolist() == theirs[:, 0].tolist(), f"photo {index}"
        np.testing.assert_allclose(ours[:, 1], theirs[:, 1], rtol=0, atol=1e-4, err_msg=f"photo {index}")
        difference = np.abs(ours[:, 2:] - theirs[:, 2:])
        elsewhere = difference.max(axis=1, initial=0) > 1
        result.detections += len(ours)
        result.elsewhere += int(elsewhere.sum())
        result.corners_off += int((difference[~elsewhere] > 0).sum())
    return result


def detect(network: Network, engine_name: str, batch_rgb: ImageArray) -> list[Detections]:
    engine = create_engine(network, EngineOptions(engine=engine_name))
    outputs = [engine.infer(batch_rgb[index : index + 1]) for index in range(len(batch_rgb))]
    engine.close()
    return [
        decode_boxes(each["cls_prob"][0], each["loc_pred"][0], network.decoding.anchors, network.decoding.multibox)
        for each in outputs
    ]


def rows(class_ids: np.ndarray, scores: FloatArray, boxes: FloatArray, photo: Image.Image) -> np.ndarray:
    """Class, score and pixel corners; by class and place, since scores that differ in a last digit may trade places."""
    table = [
        (int(each), float(score), *corners(box, photo))
        for each, score, box in zip(class_ids, scores, boxes, strict=True)
    ]
    return np.array(sorted(table, key=lambda row: (row[0], *row[2:])), dtype=np.float64).reshape(-1, 6)


def corners(box: FloatArray, photo: Image.Image) -> tuple[int, int, int, int]:
    """Corners in pixels, so that a corner that is one off is not counted again in a width."""
    placed = pixel_box(box, photo.size)
    return placed.x, placed.y, placed.x + placed.width, placed.y + placed.height


@pytest.mark.parametrize("engine_name", ["openvino", "onnxruntime", "mxnet"])
def test_the_sample_photo_gives_mxnets_detections(network: Network, engine_name: str) -> None:
    result = compare(sample_photos(), network, engine_name)
    assert result.detections >= 5
    assert (result.elsewhere, result.corners_off) == (0, 0)


@pytest.mark.parametrize(("engine_name", "at_most"), [("openvino", (0, 0)), ("onnxruntime", (1, 1))])
def test_annotated_photos_give_mxnets_detections(network: Network, engine_name: str, at_most: tuple[int, int]) -> None:
    """README.md tells these numbers."""
    result = compare(annotated_photos(), network, engine_name)
    assert result.detections == 1523
    assert result.elsewhere <= at_most[0]
    assert result.corners_off <= at_most[1]


def test_decoding_mxnets_own_outputs_gives_its_detections_exactly(network: Network) -> None:
    batch_rgb = np.stack([stretch(photo, (EDGE, EDGE)) for photo in sample_photos()])
    expected = run_checkpoint(network.prefix, network.epoch, batch_rgb)
    for index in range(len(batch_rgb)):
        ours = decode_boxes(
            expected.cls_prob[index], expected.loc_pred[index], expected.anchors, network.decoding.multibox
        )
        theirs = expected.found(index)
        assert ours.class_ids.tolist() == theirs[:, 0].astype(np.int64).tolist()
        assert ours.scores.tolist() == theirs[:, 1].tolist()
        np.testing.assert_allclose(ours.boxes_xyxy_unit, theirs[:, 2:], rtol=0, atol=1e-6)
