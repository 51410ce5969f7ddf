"""Exports made by the projects' own packages: `model_card` describes them, and all that the projects' own code found in
four photos is found again.
"""

import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from django.core.management import call_command
from numpy.typing import NDArray

from detection.inference.cards.card import read_card
from detection.inference.convert.graph import IMAGE_INPUT
from detection.inference.detector import Detector, DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource
from detection.inference.photos.preprocess import fit_photo
from tests.exporters import recording
from tests.exporters.replay import AVERAGES, export_of
from tests.support import photos

NAMES = recording.names()
_IOU, _SCORE = 0.98, 1e-3


def serving(folder: Path, cache: Path) -> Detector:
    """A detector of the card that `model_card` writes."""
    call_command("model_card", str(folder), stdout=io.StringIO())
    return load_detector(DetectorOptions(ModelSource(folder), cache, EngineOptions("onnxruntime")))


@pytest.mark.parametrize("name", NAMES)
def test_an_export_is_described_and_all_its_objects_are_found_again(name: str, tmp_path: Path) -> None:
    recorded = recording.read(name)
    folder = export_of(recorded, tmp_path)
    detector = serving(folder, tmp_path / "cache")
    session = _session_with_averages(detector)
    std = np.reshape(read_card(folder).input.std, (3, 1, 1))
    missing = []
    for number, picture in enumerate(recording.photos(recorded.size_wh)):
        fitted, _ = fit_photo(picture, detector.network)
        (given,) = session.run([AVERAGES], {IMAGE_INPUT: fitted[None]})
        levels = np.abs(given[0] - recorded.given[number]) * std
        # Each project resizes in its own way; colours, scale and place are the same.
        assert levels.mean() < 2, f"photo {number}: {levels.mean():.2f} of 255 levels from what the project gives it"
        found = detector.detect(photos.encode(picture, "PNG"), min_probability=0.005).objects
        boxes = np.array([each.box_xyxy_unit for each in found]) * [*picture.size, *picture.size]
        rows = np.column_stack([boxes, [each.probability for each in found], [each.class_id for each in found]])
        missing += [(number, wanted) for wanted in recorded.objects[number] if not _among(wanted, rows)]
    detector.close()
    assert sum(map(len, recorded.objects)) >= 100
    assert not missing, f"{len(missing)} of {sum(map(len, recorded.objects))}: {missing[:3]}"


def _among(wanted: NDArray[np.float32], rows: NDArray[np.float64]) -> bool:
    """Whether one of the rows is of that class, score and place."""
    low, high = np.maximum(rows[:, :2], wanted[:2]), np.minimum(rows[:, 2:4], wanted[2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(rows[:, 2:4] - rows[:, :2], axis=1) + np.prod(wanted[2:4] - wanted[:2])
    is_same = (rows[:, 5] == wanted[5]) & (np.abs(rows[:, 4] - wanted[4]) <= _SCORE)
    return bool((is_same & (shared > _IOU * (areas - shared))).any())


def _session_with_averages(detector: Detector) -> onnxruntime.InferenceSession:
    model = onnx.load(detector.network.onnx_path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(AVERAGES, onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString())
