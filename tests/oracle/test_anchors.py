"""The anchors against MXNet's MultiBoxPrior, to the last bit."""

from typing import Any

import mxnet as mx
import numpy as np
import pytest

from detection.inference.anchors import multibox_prior

FEATURE_SIZES = [(1, 1), (3, 5), (7, 2), (19, 19), (64, 64)]
SIZES = [(0.2,), (0.35, 0.4183300132670377), (0.1, 0.2, 0.9)]
RATIOS = [(1.0,), (1.0, 2.0, 0.5, 3.0, 0.3333333333333333), (2.0, 0.5)]
OPTIONS: dict[str, dict[str, Any]] = {
    "by default": {},
    "clipped": {"clip": True},
    "steps": {"steps": (0.1, 0.05)},
    "offsets": {"offsets": (0.25, 0.75)},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("ratios", RATIOS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("feature_hw", FEATURE_SIZES)
def test_anchors_are_those_of_mxnet(
    feature_hw: tuple[int, int], sizes: tuple[float, ...], ratios: tuple[float, ...], name: str
) -> None:
    options = OPTIONS[name]
    feature_map = mx.nd.zeros((1, 3, *feature_hw))
    expected = mx.nd.contrib.MultiBoxPrior(feature_map, sizes=sizes, ratios=ratios, **options).asnumpy()[0]

    pairs = {f"{key}_yx": value for key, value in options.items() if key != "clip"}
    anchors = multibox_prior(feature_hw, sizes, ratios, clip=options.get("clip", False), **pairs)

    np.testing.assert_array_equal(anchors, expected)
