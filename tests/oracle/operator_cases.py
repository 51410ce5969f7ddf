"""The ways in which operators are used, as MXNet builds them: by name, from a variable `data` to a symbol."""

from collections.abc import Callable
from typing import Any

from mxnet import sym

Build = Callable[[Any], Any]

CONVOLUTIONS: dict[str, Build] = {
    "3x3": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=8, name="conv"),
    "pad and stride": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=8, pad=(1, 2), stride=(2, 1)),
    "without bias": lambda data: sym.Convolution(data, kernel=(1, 1), num_filter=4, no_bias=True),
    "oblong kernel": lambda data: sym.Convolution(data, kernel=(1, 5), num_filter=4, pad=(0, 2)),
    "dilation": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=4, dilate=(2, 3), pad=(2, 3)),
    "groups": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=9, num_group=3, pad=(1, 1)),
    "depthwise": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=6, num_group=6, stride=(2, 2)),
    "dilated depthwise": lambda data: sym.Convolution(data, kernel=(3, 3), num_filter=12, num_group=6, dilate=(2, 2)),
    "full connection": lambda data: sym.FullyConnected(data, num_hidden=7),
    "full connection without bias": lambda data: sym.FullyConnected(data, num_hidden=7, no_bias=True),
    "full connection of the last axis": lambda data: sym.FullyConnected(data, num_hidden=7, flatten=False),
    "last axis without bias": lambda data: sym.FullyConnected(data, num_hidden=7, flatten=False, no_bias=True),
    "full connection of vectors": lambda data: sym.FullyConnected(sym.Flatten(data), num_hidden=3, flatten=False),
}

POOLINGS: dict[str, Build] = {
    f"{kind} {convention} kernel {kernel} stride {stride} pad {pad}": (
        lambda data, kind=kind, convention=convention, kernel=kernel, stride=stride, pad=pad: sym.Pooling(
            data, kernel=kernel, stride=stride, pad=pad, pool_type=kind, pooling_convention=convention
        )
    )
    for kind in ("max", "avg", "sum")
    for convention in ("valid", "full")
    for kernel, stride, pad in [
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (1, 1)),
        ((3, 2), (1, 2), (1, 0)),
        ((3, 3), (1, 1), (1, 1)),
        ((5, 4), (3, 3), (2, 1)),
    ]
} | {
    "max without stride": lambda data: sym.Pooling(data, kernel=(2, 3), pool_type="max"),
    "global max": lambda data: sym.Pooling(data, global_pool=True, pool_type="max", kernel=(3, 3)),
    "global avg": lambda data: sym.Pooling(data, global_pool=True, pool_type="avg", kernel=(3, 3), pad=(1, 1)),
    "global sum": lambda data: sym.Pooling(data, global_pool=True, pool_type="sum"),
    "avg of real pixels": lambda data: sym.Pooling(
        data, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg", count_include_pad=False
    ),
    "avg of real pixels, full": lambda data: sym.Pooling(
        data,
        kernel=(3, 3),
        stride=(2, 2),
        pad=(1, 1),
        pool_type="avg",
        count_include_pad=False,
        pooling_convention="full",
    ),
    "up-sampling": lambda data: sym.UpSampling(data, scale=3, sample_type="nearest"),
}

ACTIVATIONS: dict[str, Build] = {
    kind: (lambda data, kind=kind: sym.Activation(data, act_type=kind))
    for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign")
} | {
    "leaky": lambda data: sym.LeakyReLU(data, slope=0.1),
    "leaky by default": sym.LeakyReLU,
    "elu": lambda data: sym.LeakyReLU(data, act_type="elu", slope=0.7),
    "selu": lambda data: sym.LeakyReLU(data, act_type="selu"),
    "gelu": lambda data: sym.LeakyReLU(data, act_type="gelu"),
    "rrelu": lambda data: sym.LeakyReLU(data, act_type="rrelu", lower_bound=0.1, upper_bound=0.3),
    "prelu": lambda data: sym.LeakyReLU(data, act_type="prelu", name="prelu"),
    "prelu with one slope": lambda data: sym.LeakyReLU(data, gamma=sym.Variable("slope", shape=(1,)), act_type="prelu"),
    "dropout": lambda data: sym.Dropout(data, p=0.5),
    "clip": lambda data: sym.clip(data, a_min=-0.5, a_max=0.25),
    "copy": lambda data: sym.identity(data) + 0,
    "block of the gradient": lambda data: sym.BlockGrad(data) * 2,
    "loss": lambda data: sym.MakeLoss(data) * 2,
    "cast": lambda data: sym.cast(data, dtype="float32") * 2,
    "relu function": sym.relu,
    "sigmoid function": sym.sigmoid,
    "tanh function": sym.tanh,
    "softsign function": sym.softsign,
    "exp": sym.exp,
    "log of abs": lambda data: sym.log(sym.abs(data)),
    "sqrt of abs": lambda data: sym.sqrt(sym.abs(data)),
    "negative": sym.negative,
}

NORMALISATIONS: dict[str, Build] = {
    "batch by default": lambda data: sym.BatchNorm(data, name="bn"),
    "batch with gamma": lambda data: sym.BatchNorm(data, fix_gamma=False, eps=2e-5, momentum=0.9),
    "batch with global statistics": lambda data: sym.BatchNorm(data, fix_gamma=False, use_global_stats=True),
    "batch along the last axis": lambda data: sym.BatchNorm(data, fix_gamma=False, axis=3),
    "batch along the last axis, from the end": lambda data: sym.BatchNorm(data, fix_gamma=False, axis=-1),
    "batch of vectors": lambda data: sym.BatchNorm(sym.Flatten(data), fix_gamma=False),
    "L2 by default": sym.L2Normalization,
    "L2 instance": lambda data: sym.L2Normalization(data, mode="instance", eps=0.1),
    "L2 channel": lambda data: sym.L2Normalization(data, mode="channel", eps=0.01),
    "L2 spatial": lambda data: sym.L2Normalization(data, mode="spatial"),
    "L2 with a learned scale": lambda data: sym.broadcast_mul(
        sym.Variable("scale", shape=(1, 6, 1, 1)), sym.L2Normalization(data, mode="channel")
    ),
}

ARITHMETIC: dict[str, Build] = {
    "sum": lambda data: data + sym.exp(data),
    "difference": lambda data: data - sym.exp(data),
    "product": lambda data: data * sym.exp(data),
    "quotient": lambda data: data / sym.exp(data),
    "maximum": lambda data: sym.maximum(data, sym.exp(data) - 1),
    "minimum": lambda data: sym.minimum(data, sym.exp(data) - 1),
    "power": lambda data: sym.abs(data) ** sym.exp(data),
    "elementwise sum": lambda data: sym.elemwise_add(data, sym.exp(data)),
    "elementwise difference": lambda data: sym.elemwise_sub(data, sym.exp(data)),
    "elementwise product": lambda data: sym.elemwise_mul(data, sym.exp(data)),
    "elementwise quotient": lambda data: sym.elemwise_div(data, sym.exp(data)),
    "sum of three": lambda data: sym.add_n(data, sym.exp(data), sym.negative(data)),
    "broadcast sum": lambda data: sym.broadcast_add(data, sym.Variable("b", shape=(1, 6, 1, 1))),
    "broadcast difference": lambda data: sym.broadcast_sub(sym.Variable("b", shape=(1, 6, 9, 1)), data),
    "broadcast product": lambda data: sym.broadcast_mul(data, sym.Variable("b", shape=(1, 1, 1, 10))),
    "broadcast quotient": lambda data: sym.broadcast_div(sym.Variable("b", shape=(1, 1, 1, 1)), sym.exp(data)),
    "broadcast of the batch": lambda data: sym.broadcast_add(data, sym.Pooling(data, global_pool=True)),
    "broadcast maximum": lambda data: sym.broadcast_maximum(data, sym.Variable("b", shape=(1, 6, 1, 1))),
    "broadcast minimum": lambda data: sym.broadcast_minimum(data, sym.Variable("b", shape=(1, 6, 1, 1))),
    "broadcast power": lambda data: sym.broadcast_power(sym.abs(data), sym.Variable("b", shape=(1, 6, 1, 1))),
    "plus a number": lambda data: data + 1.5,
    "minus a number": lambda data: data - 1.5,
    "a number minus": lambda data: 1.5 - data,
    "times a number": lambda data: data * 0.017,
    "by a number": lambda data: data / 3,
    "a number by": lambda data: 3 / sym.exp(data),
    "maximum with a number": lambda data: sym.maximum(data, 0.3),
    "minimum with a number": lambda data: sym.minimum(data, 0.3),
    "to the power of a number": lambda data: sym.abs(data) ** 1.7,
    "a number to the power": lambda data: 2**data,
}

REPETITIONS: dict[str, Build] = {
    "tile": lambda data: sym.tile(data, reps=(1, 2, 1, 3)),
    "tile to more axes": lambda data: sym.tile(data, reps=(3, 1, 1, 1, 1)),
    "tile of the last axes": lambda data: sym.tile(data, reps=(2, 3)),
    "repeat of rows": lambda data: sym.repeat(data, repeats=2, axis=2),
    "repeat of the last axis": lambda data: sym.repeat(data, repeats=3, axis=-1),
    "zeros": lambda data: sym.zeros_like(data) + 1,
    "ones": lambda data: sym.ones_like(data) * data,
    "range": lambda data: sym.broadcast_add(data, sym.reshape(sym.arange(0, 10), shape=(1, 1, 1, 10))),
    "range of one number": lambda data: sym.broadcast_add(data, sym.reshape(sym.arange(6), shape=(1, -1, 1, 1))),
    "range with step and repeat": lambda data: sym.broadcast_add(
        data, sym.reshape(sym.arange(1, 3.1, step=0.5, repeat=2), shape=(1, 1, 1, 10))
    ),
    "choice": lambda data: sym.where(data > 0.3, sym.exp(data), sym.zeros_like(data)),
    "greater": lambda data: data > -0.2,
}

BOXES: dict[str, Build] = {
    "decode": lambda data: sym.contrib.box_decode(regression(data), anchors(), 0.1, 0.1, 0.2, 0.2),
    "decode by default": lambda data: sym.contrib.box_decode(regression(data), anchors()),
    "decode of corners": lambda data: sym.contrib.box_decode(regression(data), anchors(), format="corner"),
    "decode with limit": lambda data: sym.contrib.box_decode(regression(data), anchors(), clip=0.3),
}


def regression(data: Any) -> Any:
    """`data` as four numbers for each of 135 anchors."""
    return sym.reshape(data, shape=(0, -1, 4))


def anchors() -> Any:
    return sym.Variable("anchors", shape=(1, 135, 4))


LAYOUT: dict[str, Build] = {
    "flatten": sym.Flatten,
    "concat": lambda data: sym.Concat(data, sym.Pooling(data, kernel=(1, 1)), sym.exp(data), dim=1),
    "concat of the last axis": lambda data: sym.concat(data, data * 2, dim=-1),
    "transpose": lambda data: sym.transpose(data, axes=(0, 2, 3, 1)),
    "transpose of all axes": sym.transpose,
    "expanded dimensions": lambda data: sym.expand_dims(data, axis=2),
    "expanded last dimension": lambda data: sym.expand_dims(data, axis=-1),
    "slice": lambda data: sym.slice(data, begin=(None, 1, 2), end=(None, 5, -1)),
    "slice with steps": lambda data: sym.slice(data, begin=(0, None, 8), end=(None, None, 1), step=(1, 2, -3)),
    "slice backwards to the start": lambda data: sym.slice(
        data, begin=(None, None, None), end=(None, None, None), step=(None, -2, 1)
    ),
    "slice like a smaller one": lambda data: sym.slice_like(
        data, sym.Variable("like", shape=(2, 3, 4, 5)), axes=(1, 3)
    ),
    "slice like another, all axes": lambda data: sym.slice_like(data, sym.Pooling(data, kernel=(3, 3))),
    "slice of a constant": lambda data: sym.broadcast_add(
        data, sym.slice_like(sym.Variable("map", shape=(1, 1, 16, 16)), data * 0, axes=(-2, -1))
    ),
    "split": lambda data: sym.concat(*list(sym.split(data, num_outputs=3))[::-1], dim=2),
    "split and squeezed": lambda data: sym.split(data, axis=-1, num_outputs=10, squeeze_axis=True)[7] + 1,
    "slice of an axis": lambda data: sym.slice_axis(data, axis=1, begin=1, end=4),
    "slice of the last axis": lambda data: sym.slice_axis(data, axis=-1, begin=-3, end=None),
} | {
    f"reshape to {shape}{' from the right' if reverse else ''}": (
        lambda data, shape=shape, reverse=reverse: sym.Reshape(data, shape=shape, reverse=reverse)
    )
    for shape, reverse in [
        ((0, -1), False),
        ((0, -1, 5), False),
        ((0, 0, -1), False),
        ((-1, 540), False),
        ((0, 6, 90), False),
        ((-2,), False),
        ((0, -3, 0), False),
        ((0, 0, -3), False),
        ((0, -3, -2), False),
        ((0, -4, 2, 3, -2), False),
        ((0, -4, -1, 3, 0, 0), False),
        ((0, -4, 3, -1, -3), False),
        ((-1, 6, 9, 10), False),
        ((0, 1, -1), False),
        ((-1, 0, 0, 0), True),
        ((-1, 54, 0), True),
        ((0, -3, 0), True),
        ((-2, 10), True),
    ]
}

SOFTMAXES: dict[str, Build] = {
    "softmax": sym.softmax,
    "softmax along an axis": lambda data: sym.softmax(data, axis=1),
    "softmax with temperature": lambda data: sym.softmax(data, axis=1, temperature=2.5),
    "activation of the channels": lambda data: sym.SoftmaxActivation(data, mode="channel"),
    "activation of vectors": lambda data: sym.SoftmaxActivation(sym.Flatten(data)),
    "output": lambda data: sym.SoftmaxOutput(sym.Flatten(data), name="out"),
    "output of the channels": lambda data: sym.SoftmaxOutput(data, multi_output=True, name="out"),
    "output of the last axis": lambda data: sym.SoftmaxOutput(data, preserve_shape=True, name="out"),
}

PRIORS: dict[str, Build] = {
    "prior by default": sym.contrib.MultiBoxPrior,
    "prior": lambda data: sym.contrib.MultiBoxPrior(data, sizes=(0.1, 0.141), ratios=(1, 2, 0.5)),
    "clipped prior": lambda data: sym.contrib.MultiBoxPrior(data, sizes=(0.9,), ratios=(1, 3), clip=True),
    "prior with steps": lambda data: sym.contrib.MultiBoxPrior(data, sizes=(0.2,), steps=(0.1, 0.07)),
    "prior with offsets": lambda data: sym.contrib.MultiBoxPrior(data, sizes=(0.2, 0.3), offsets=(0.0, 0.25)),
    "prior with another first ratio": lambda data: sym.contrib.MultiBoxPrior(data, sizes=(0.2, 0.3), ratios=(2, 0.5)),
}

CASES: dict[str, Build] = {
    f"{family}: {name}": build
    for family, cases in {
        "convolution": CONVOLUTIONS,
        "pooling": POOLINGS,
        "activation": ACTIVATIONS,
        "normalisation": NORMALISATIONS,
        "arithmetic": ARITHMETIC,
        "layout": LAYOUT,
        "repetition": REPETITIONS,
        "boxes": BOXES,
        "softmax": SOFTMAXES,
        "anchors": PRIORS,
    }.items()
    for name, build in cases.items()
}
