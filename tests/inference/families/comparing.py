"""Compares what a family decodes with a reference."""

import numpy as np

from detection.inference.types import Detections
from tests.inference.families.reference import Found


def assert_same(found: Detections, expected: list[Found]) -> None:
    """Class by class and object by object; probabilities and boxes to float32's rounding."""
    assert len(expected) > 3
    assert found.class_ids.tolist() == [each.class_id for each in expected]
    np.testing.assert_allclose(found.scores, [each.score for each in expected], rtol=1e-5)
    np.testing.assert_allclose(found.boxes_xyxy_unit, [each.box for each in expected], atol=1e-5)
    assert found.boxes_xyxy_unit.dtype == found.scores.dtype == np.float32
