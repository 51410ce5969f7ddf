"""One module per family of MXNet operators; importing this package registers them all."""

from detection.inference.convert.operators import (
    activation,
    arithmetic,
    box_decode,
    convolution,
    creation,
    indexing,
    layout,
    multibox,
    normalisation,
    pooling,
    softmax,
    tiling,
)

__all__ = [
    "activation",
    "arithmetic",
    "box_decode",
    "convolution",
    "creation",
    "indexing",
    "layout",
    "multibox",
    "normalisation",
    "pooling",
    "softmax",
    "tiling",
]
