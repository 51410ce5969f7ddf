"""One module per family of MXNet operators; importing this package registers them all."""

from detection.inference.convert.operators import (
    activation,
    arithmetic,
    convolution,
    layout,
    multibox,
    normalisation,
    pooling,
    softmax,
)

__all__ = ["activation", "arithmetic", "convolution", "layout", "multibox", "normalisation", "pooling", "softmax"]
