"""The suppression of GluonCV's detectors, against a reference in plain loops written from MXNet's C++ source."""

from dataclasses import replace

import numpy as np
import pytest

from detection.inference.decoding import BoxNmsDecoding
from detection.inference.errors import CheckpointError
from detection.inference.families.gluoncv import GluonCvDecoding, check, decode
from detection.inference.types import FloatArray
from tests.inference.box_nms_reference import box_nms
from tests.inference.families.networks import CLASSES, network_of

EDGE = 64
NMS = BoxNmsDecoding(overlap_thresh=0.45, valid_thresh=0.01, topk=80, id_index=0)


def random_rows(seed: int, places: int = 60) -> FloatArray:
    """Rows of three classes at as many places, class by class; scores repeat, some boxes are inside out."""
    random = np.random.default_rng(seed)
    corner, size = random.uniform(0, 50, (places, 2)), random.uniform(-2, 30, (places, 2))
    boxes = np.tile(np.concatenate([corner, corner + size], axis=1), (len(CLASSES), 1))
    scores = np.round(random.uniform(0, 1, len(boxes)) ** 2, 2)
    ids = np.where(scores > 0.01, np.repeat(np.arange(len(CLASSES)), places), -1)
    return np.column_stack([ids, scores, boxes]).astype(np.float32)


def expected_rows(rows: FloatArray, nms: BoxNmsDecoding) -> FloatArray:
    found = box_nms(
        list(rows),
        overlap=nms.overlap_thresh,
        valid=nms.valid_thresh,
        topk=nms.topk,
        force=nms.force_suppress,
        background=nms.background_id,
    )
    return np.array(found, np.float32)


MODES = {
    "as GluonCV does": NMS,
    "all rows": replace(NMS, topk=-1),
    "few rows": replace(NMS, topk=7),
    "across classes": replace(NMS, force_suppress=True),
    "low overlap": replace(NMS, overlap_thresh=0.0),
    "high threshold": replace(NMS, valid_thresh=0.36),
    "class 1 is background": replace(NMS, background_id=1),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_boxes_are_those_of_the_reference(mode: str, seed: int) -> None:
    rows, nms = random_rows(seed), MODES[mode]
    expected = expected_rows(rows, nms)

    found = decode({"rows": rows}, network_of("gluoncv", GluonCvDecoding(nms)), 0.0)

    assert 3 < len(expected) < np.count_nonzero(rows[:, 1] > 0.01)
    assert found.class_ids.tolist() == expected[:, 0].tolist()
    assert found.scores.tolist() == expected[:, 1].tolist()
    np.testing.assert_array_equal(found.boxes_xyxy_unit, np.clip(expected[:, 2:] / np.float32(EDGE), 0, 1))


def test_a_higher_threshold_gives_the_same_without_the_rest() -> None:
    rows, network = random_rows(4), network_of("gluoncv", GluonCvDecoding(NMS))
    everything, probable = (decode({"rows": rows}, network, low) for low in (0.0, 0.5))
    count = int((everything.scores >= 0.5).sum())

    assert 0 < count < len(everything)
    np.testing.assert_array_equal(probable.boxes_xyxy_unit, everything.boxes_xyxy_unit[:count])


def test_no_more_are_kept_than_the_export_keeps() -> None:
    rows = random_rows(5)
    whole = decode({"rows": rows}, network_of("gluoncv", GluonCvDecoding(NMS)), 0.0)
    first = decode({"rows": rows}, network_of("gluoncv", GluonCvDecoding(NMS, limit=4)), 0.0)

    assert len(whole) > 4
    np.testing.assert_array_equal(first.boxes_xyxy_unit, whole.boxes_xyxy_unit[:4])


def test_nothing_probable_is_no_object() -> None:
    rows = random_rows(6)
    rows[:, :2] = -1, 0
    assert len(decode({"rows": rows}, network_of("gluoncv", GluonCvDecoding(NMS)), 0.0)) == 0


@pytest.mark.parametrize("shape", [(9, 5), (10, 6), (54,)], ids=["columns", "not as many for each class", "no rows"])
def test_other_outputs_are_refused(shape: tuple[int, ...]) -> None:
    network = network_of("gluoncv", GluonCvDecoding(NMS))
    check({"rows": np.zeros((9, 6), np.float32)}, network)
    with pytest.raises(CheckpointError, match=r"small has the outputs rows"):
        check({"rows": np.zeros(shape, np.float32)}, network)
    with pytest.raises(CheckpointError, match=r"small has the outputs other"):
        check({"other": np.zeros((9, 6), np.float32)}, network)
