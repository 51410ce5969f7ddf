"""Parts that the families share."""

import numpy as np
import pytest

from detection.inference.families.base import most_probable, most_probable_of_logits, sigmoid


@pytest.mark.parametrize("min_probability", [0.0, 1e-9, 0.1, 0.3, 0.5, 0.99, 0.9999999, 1.0])
@pytest.mark.parametrize("limit", [5, 10_000])
def test_most_probable_of_logits_are_those_of_their_probabilities(min_probability: float, limit: int) -> None:
    random = np.random.default_rng(7)
    logits = random.normal(0, 6, (200, 20)).astype(np.float32)
    logits[::7] = np.round(logits[::7])  # equal ones keep their order
    logits[3, :4] = [np.nan, np.inf, -np.inf, 0.0]
    logits[5, 0] = np.float32(np.log(min_probability / (1 - min_probability))) if 0 < min_probability < 1 else 0.0
    scores = sigmoid(logits)
    rows, class_ids = most_probable(scores, min_probability, limit)
    found = most_probable_of_logits(logits, min_probability, limit)
    np.testing.assert_array_equal(found[0], rows)
    np.testing.assert_array_equal(found[1], class_ids)
    np.testing.assert_array_equal(found[2], scores[rows, class_ids])
