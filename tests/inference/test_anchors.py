"""The anchors against a loop written from src/operator/contrib/multibox_prior.cc."""

from typing import Any

import numpy as np
import pytest

from detection.inference.anchors import multibox_prior
from detection.inference.types import FloatArray

f32 = np.float32


def multibox_prior_cc(
    feature_hw: tuple[int, int],
    sizes: tuple[float, ...],
    ratios: tuple[float, ...],
    *,
    clip: bool = False,
    steps_yx: tuple[float, float] = (-1.0, -1.0),
    offsets_yx: tuple[float, float] = (0.5, 0.5),
) -> FloatArray:
    """One anchor after the other, one operation of float32 after the other."""
    height, width = feature_hw
    step_y, step_x = map(f32, steps_yx)
    if step_y <= 0 or step_x <= 0:
        step_y, step_x = f32(1) / f32(height), f32(1) / f32(width)
    shapes = [(f32(size), np.sqrt(f32(ratios[0]))) for size in sizes]
    shapes += [(f32(sizes[0]), np.sqrt(f32(ratio))) for ratio in ratios[1:]]
    rows = []
    for row in range(height):
        centre_y = (f32(row) + f32(offsets_yx[0])) * step_y
        for column in range(width):
            centre_x = (f32(column) + f32(offsets_yx[1])) * step_x
            for size, root in shapes:
                half_width = size * f32(height) / f32(width) * root / f32(2)
                half_height = size / root / f32(2)
                box = [centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height]
                rows.append([min(max(edge, f32(0)), f32(1)) if clip else edge for edge in box])
    return np.array(rows, np.float32)


CASES: dict[str, dict[str, Any]] = {
    "one cell": {"feature_hw": (1, 1), "sizes": (0.95, 0.97), "ratios": (1.0, 2.0, 0.5)},
    "oblong map": {"feature_hw": (3, 5), "sizes": (0.2,), "ratios": (1.0, 3.0)},
    "largest map of the embedded network": {"feature_hw": (19, 19), "sizes": (0.2,), "ratios": (1.0, 2.0, 0.5)},
    "clipped": {"feature_hw": (4, 4), "sizes": (0.9, 1.2), "ratios": (1.0,), "clip": True},
    "steps": {"feature_hw": (4, 3), "sizes": (0.3,), "ratios": (1.0, 2.0), "steps_yx": (0.1, 0.2)},
    "offsets": {"feature_hw": (4, 3), "sizes": (0.3,), "ratios": (1.0, 2.0), "offsets_yx": (0.0, 0.25)},
    "first ratio other than 1": {"feature_hw": (2, 2), "sizes": (0.3, 0.4), "ratios": (2.0, 0.5)},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_anchors_are_those_of_the_loop(options: dict[str, Any]) -> None:
    anchors = multibox_prior(**options)

    np.testing.assert_array_equal(anchors, multibox_prior_cc(**options), strict=True)


def test_first_anchor_of_a_cell_is_centred_on_it() -> None:
    anchors = multibox_prior((2, 4), (0.5,), (1.0,))

    assert anchors.shape == (8, 4)
    # The size is a fraction of the height; the map is twice as wide as high.
    np.testing.assert_allclose(anchors[0], [0.125 - 0.125, 0.25 - 0.25, 0.125 + 0.125, 0.25 + 0.25])
