"""Batches of photos' bytes: lists and columns, pickled and closed."""

import pickle
from pathlib import Path

import numpy as np

from detection.conf import BASE_DIR
from detection.inference.batch_detector import BatchDetector
from detection.inference.detector import DetectorOptions
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource
from detection.inference.types import Thresholds


def test_batches_are_answered_in_order_as_lists_and_as_columns(tmp_path: Path, chelsea: bytes) -> None:
    source = ModelSource(BASE_DIR / "models" / "mobilenet_ssd_voc")
    made = BatchDetector(DetectorOptions(source, tmp_path, EngineOptions()), threshold=0.5)
    detector = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert pickle.loads(pickle.dumps(made)) is detector  # noqa: S301
    cat, broken = detector([chelsea, b"no photo"])
    assert (cat["width"], cat["height"], [one["objectClass"] for one in cat["prediction"]]) == (451, 300, ["cat"])
    assert broken["error"].startswith("The photo cannot be read")
    columns = detector({"path": np.array(["a", "b"]), "bytes": np.array([b"no photo", chelsea], dtype=object)})
    assert list(columns) == ["path", "width", "height", "prediction", "error"]
    assert (list(columns["path"]), columns["width"], columns["error"][1]) == (["a", "b"], [None, 451], None)
    assert columns["prediction"] == [None, cat["prediction"]]
    detector.close()
    detector.close()
    assert detector([chelsea]) == [cat]
    detector.close()


def test_objects_are_reported_above_the_thresholds_of_their_classes(tmp_path: Path, chelsea: bytes) -> None:
    source = ModelSource(BASE_DIR / "models" / "mobilenet_ssd_voc")
    options = DetectorOptions(source, tmp_path, EngineOptions())
    for thresholds, found in ((Thresholds(0.5, {"cat": 1.0}), []), (Thresholds(1.0, {"cat": 0.5}), ["cat"])):
        detector = BatchDetector(options, pickle.loads(pickle.dumps(thresholds)))  # noqa: S301
        (answer,) = detector([chelsea])
        detector.close()
        assert [one["objectClass"] for one in answer["prediction"]] == found
