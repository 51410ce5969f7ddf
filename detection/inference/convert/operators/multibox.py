"""The operators of SSD; MultiBoxDetection is where the converted graph ends, see `detection.inference.convert`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.inference.anchors import multibox_prior
from detection.inference.convert.graph import GraphBuilder, Value
from detection.inference.convert.registry import converts

MAX_ANCHORS = 4_000_000


@dataclass(frozen=True, slots=True)
class MultiBoxPriorAttributes:
    """src/operator/contrib/multibox_prior-inl.h; pairs are (y, x)."""

    sizes: tuple[float, ...] = (1.0,)
    ratios: tuple[float, ...] = (1.0,)
    clip: bool = False
    steps: tuple[float, float] = (-1.0, -1.0)
    offsets: tuple[float, float] = (0.5, 0.5)


@converts("_contrib_MultiBoxPrior", "MultiBoxPrior", "_npx_multibox_prior", attributes=MultiBoxPriorAttributes)
def prior(graph: GraphBuilder, inputs: Sequence[Value], attributes: MultiBoxPriorAttributes) -> Value:
    """Compute the anchors as a constant: they depend on the size of the feature map only."""
    if not attributes.sizes or not attributes.ratios or min(attributes.sizes + attributes.ratios) <= 0:
        raise ValueError("sizes and ratios must be positive")
    if attributes.steps[0] * attributes.steps[1] < 0:
        raise ValueError("steps must be given for both axes or for none")
    height, width = inputs[0].spatial()
    if height * width * (len(attributes.sizes) + len(attributes.ratios)) > MAX_ANCHORS:
        raise ValueError(f"a feature map of {height} x {width} has more than {MAX_ANCHORS} anchors")
    with np.errstate(all="ignore"):
        anchors = multibox_prior(
            (height, width),
            attributes.sizes,
            attributes.ratios,
            clip=attributes.clip,
            steps_yx=attributes.steps,
            offsets_yx=attributes.offsets,
        )
    if not np.isfinite(anchors).all():
        raise ValueError("sizes, ratios, steps and offsets give anchors that are no boxes")
    return graph.constant(anchors[None], "anchors")
