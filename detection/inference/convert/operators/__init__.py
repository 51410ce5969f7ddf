"""One module per family of MXNet operators; importing this package registers them all."""

from detection.inference.convert.operators import (
    activation,
    arithmetic,
    box_decode,
    choosing,
    convolution,
    filling,
    layout,
    multibox,
    normalisation,
    pooling,
    repeating,
    softmax,
)

__all__ = [
    "activation",
    "arithmetic",
    "box_decode",
    "choosing",
    "convolution",
    "filling",
    "layout",
    "multibox",
    "normalisation",
    "pooling",
    "repeating",
    "softmax",
]
