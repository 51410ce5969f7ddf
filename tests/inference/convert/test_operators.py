"""Each operator against NumPy; tests/oracle compares the same converters with MXNet itself."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.inference.convert.single import Single, run_single

Array = NDArray[np.float32]
random = np.random.default_rng(3)
DATA: Array = random.standard_normal((2, 4, 5, 6)).astype(np.float32)
CHANNELS = tuple(random.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(4))
COLUMNS = tuple(np.resize(values, 6) for values in CHANNELS)
DENSE = random.standard_normal((3, 120)).astype(np.float32)
LAST = random.standard_normal((3, 6)).astype(np.float32)
BIAS = random.standard_normal(3).astype(np.float32)
MAP = random.standard_normal((1, 4, 1, 1)).astype(np.float32)


def column(values: Array) -> Array:
    return values[:, None, None]


def softmax(values: Array, axis: int) -> Array:
    exponentials = np.exp(values - values.max(axis=axis, keepdims=True))
    result: Array = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return result


def batch_norm(gamma: Array, eps: float) -> Array:
    _, beta, mean, variance = CHANNELS
    normalised: Array = (DATA - column(mean)) / np.sqrt(column(variance) + np.float32(eps)) * column(gamma) + column(
        beta
    )
    return normalised


def pool(kind: str, kernel: int, stride: int, pad: int, *, full: bool = False, include: bool = True) -> Array:
    """src/operator/nn/pool.h in loops."""
    height, width = DATA.shape[2:]
    rounded = math.ceil if full else math.floor
    rows, columns = (rounded((size + 2 * pad - kernel) / stride) + 1 for size in (height, width))
    output = np.empty((*DATA.shape[:2], rows, columns), np.float32)
    for row in range(rows):
        for col in range(columns):
            top, left = row * stride - pad, col * stride - pad
            bottom, right = min(top + kernel, height + pad), min(left + kernel, width + pad)
            area = (bottom - top) * (right - left)
            window = DATA[:, :, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            if not include:
                area = window.shape[2] * window.shape[3]
            reduced = {"max": window.max((2, 3)), "sum": window.sum((2, 3)), "avg": window.sum((2, 3)) / area}
            output[:, :, row, col] = reduced[kind]
    return output


def convolve(
    weight: Array, bias: Array | None, *, stride: int = 1, pad: int = 0, dilate: int = 1, groups: int = 1
) -> Array:
    """A convolution in loops over its kernel."""
    padded = np.pad(DATA, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    filters, depth, kernel, _ = weight.shape
    rows, columns = ((size - dilate * (kernel - 1) - 1) // stride + 1 for size in padded.shape[2:])
    output = np.zeros((len(DATA), filters, rows, columns), np.float32)
    for number in range(filters):
        first = number // (filters // groups) * depth
        for y in range(kernel):
            for x in range(kernel):
                part = padded[:, first : first + depth, y * dilate :, x * dilate :]
                part = part[:, :, : (rows - 1) * stride + 1 : stride, : (columns - 1) * stride + 1 : stride]
                output[:, number] += np.tensordot(part, weight[number, :, y, x], axes=(1, 0))
    return output if bias is None else output + column(bias)


WEIGHT = random.standard_normal((3, 4, 3, 3)).astype(np.float32)
GROUPED = random.standard_normal((4, 2, 3, 3)).astype(np.float32)
KERNEL = {"kernel": (3, 3), "num_filter": 3}


def pooling(kind: str, *, full: bool = False, stride: int = 2, pad: int = 1, **more: object) -> Single:
    convention = "full" if full else "valid"
    sizes = {"kernel": (3, 3), "stride": (stride, stride), "pad": (pad, pad)}
    return Single("Pooling", sizes | {"pool_type": kind, "pooling_convention": convention} | more)


CASES: dict[str, tuple[Single, Callable[[], Any]]] = {
    "convolution": (Single("Convolution", KERNEL, (WEIGHT, BIAS)), lambda: convolve(WEIGHT, BIAS)),
    "convolution without bias": (
        Single("Convolution", KERNEL | {"no_bias": True, "pad": (1, 1), "stride": (2, 2)}, (WEIGHT,)),
        lambda: convolve(WEIGHT, None, pad=1, stride=2),
    ),
    "dilated convolution": (
        Single("Convolution", KERNEL | {"dilate": (2, 2), "pad": (2, 2)}, (WEIGHT, BIAS)),
        lambda: convolve(WEIGHT, BIAS, dilate=2, pad=2),
    ),
    "grouped convolution": (
        Single("Convolution", KERNEL | {"num_filter": 4, "num_group": 2, "no_bias": True}, (GROUPED,)),
        lambda: convolve(GROUPED, None, groups=2),
    ),
    "full connection": (
        Single("FullyConnected", {"num_hidden": 3}, (DENSE, BIAS)),
        lambda: DATA.reshape(2, -1) @ DENSE.T + BIAS,
    ),
    "full connection of the last axis": (
        Single("FullyConnected", {"num_hidden": 3, "flatten": False}, (LAST, BIAS)),
        lambda: DATA @ LAST.T + BIAS,
    ),
    "full connection of the last axis without bias": (
        Single("FullyConnected", {"num_hidden": 3, "flatten": False, "no_bias": True}, (LAST,)),
        lambda: DATA @ LAST.T,
    ),
    "max pooling": (pooling("max"), lambda: pool("max", 3, 2, 1)),
    "full max pooling": (pooling("max", full=True), lambda: pool("max", 3, 2, 1, full=True)),
    "average pooling": (pooling("avg"), lambda: pool("avg", 3, 2, 1)),
    "full average pooling": (pooling("avg", full=True), lambda: pool("avg", 3, 2, 1, full=True)),
    "full average of real pixels": (
        pooling("avg", full=True, count_include_pad=False),
        lambda: pool("avg", 3, 2, 1, full=True, include=False),
    ),
    "sum pooling": (pooling("sum"), lambda: pool("sum", 3, 2, 1)),
    "global max": (
        Single("Pooling", {"global_pool": True, "pool_type": "max"}),
        lambda: DATA.max((2, 3), keepdims=True),
    ),
    "global average": (
        Single("Pooling", {"global_pool": True, "pool_type": "avg", "kernel": (2, 2)}),
        lambda: DATA.mean((2, 3), keepdims=True),
    ),
    "global sum": (
        Single("Pooling", {"global_pool": True, "pool_type": "sum"}),
        lambda: DATA.sum((2, 3), keepdims=True),
    ),
    "up-sampling": (
        Single("UpSampling", {"scale": 2, "sample_type": "nearest", "num_args": 1}),
        lambda: DATA.repeat(2, axis=2).repeat(2, axis=3),
    ),
    "relu": (Single("Activation", {"act_type": "relu"}), lambda: np.maximum(DATA, 0)),
    "soft relu": (Single("Activation", {"act_type": "softrelu"}), lambda: np.log1p(np.exp(DATA))),
    "sigmoid": (Single("sigmoid", {}), lambda: 1 / (1 + np.exp(-DATA))),
    "leaky relu": (Single("LeakyReLU", {}), lambda: np.where(DATA > 0, DATA, DATA * 0.25)),
    "elu": (
        Single("LeakyReLU", {"act_type": "elu", "slope": 0.5}),
        lambda: np.where(DATA > 0, DATA, np.expm1(DATA) / 2),
    ),
    "selu": (
        Single("LeakyReLU", {"act_type": "selu"}),
        lambda: 1.0507009873554805 * np.where(DATA > 0, DATA, 1.6732632423543772 * np.expm1(DATA)),
    ),
    "gelu": (
        Single("LeakyReLU", {"act_type": "gelu"}),
        lambda: DATA * (1 + np.vectorize(math.erf)(DATA / math.sqrt(2))) / 2,
    ),
    "rrelu": (
        Single("LeakyReLU", {"act_type": "rrelu", "lower_bound": 0.1, "upper_bound": 0.3}),
        lambda: np.where(DATA > 0, DATA, DATA * 0.2),
    ),
    "prelu": (
        Single("LeakyReLU", {"act_type": "prelu"}, (CHANNELS[0],)),
        lambda: np.where(DATA > 0, DATA, DATA * column(CHANNELS[0])),
    ),
    "prelu with one slope": (
        Single("LeakyReLU", {"act_type": "prelu"}, (CHANNELS[0][:1],)),
        lambda: np.where(DATA > 0, DATA, DATA * CHANNELS[0][0]),
    ),
    "clip": (Single("clip", {"a_min": -0.5, "a_max": 0.25}), lambda: np.clip(DATA, -0.5, 0.25)),
    "dropout": (Single("Dropout", {"p": 0.5}), lambda: DATA),
    "copy": (Single("_copy", {}), lambda: DATA),
    "loss": (Single("MakeLoss", {"grad_scale": 2}), lambda: DATA),
    "cast": (Single("Cast", {"dtype": "float32"}), lambda: DATA),
    "batch normalisation": (
        Single("BatchNorm", {"fix_gamma": False, "eps": 2e-5}, CHANNELS),
        lambda: batch_norm(CHANNELS[0], 2e-5),
    ),
    "batch normalisation by default": (
        Single("BatchNorm", {}, CHANNELS),
        lambda: batch_norm(np.ones(4, np.float32), 1e-3),
    ),
    "batch normalisation along axis 3": (
        Single("BatchNorm", {"axis": 3}, COLUMNS),
        lambda: (
            (DATA - np.resize(CHANNELS[2], 6)) / np.sqrt(np.resize(CHANNELS[3], 6) + 1e-3) + np.resize(CHANNELS[1], 6)
        ),
    ),
    "L2 of the instance": (
        Single("L2Normalization", {}),
        lambda: DATA / np.sqrt((DATA**2).sum((1, 2, 3), keepdims=True)),
    ),
    "L2 of the channels": (
        Single("L2Normalization", {"mode": "channel", "eps": 0.1}),
        lambda: DATA / np.sqrt((DATA**2).sum(1, keepdims=True) + 0.1),
    ),
    "L2 of the places": (
        Single("L2Normalization", {"mode": "spatial"}),
        lambda: DATA / np.sqrt((DATA**2).sum((2, 3), keepdims=True)),
    ),
    "elementwise sum": (Single("_Plus", {}, copies=2), lambda: DATA * 2),
    "broadcast product": (Single("broadcast_mul", {}, (MAP,)), lambda: DATA * MAP),
    "sum of three": (Single("add_n", {"num_args": 3}, copies=3), lambda: DATA * 3),
    "plus a number": (Single("_plus_scalar", {"scalar": 1.5}), lambda: DATA + 1.5),
    "a number minus": (Single("_rminus_scalar", {"scalar": 1.5}), lambda: 1.5 - DATA),
    "flatten": (Single("Flatten", {}), lambda: DATA.reshape(2, -1)),
    "reshape": (Single("Reshape", {"shape": (0, -1, 6)}), lambda: DATA.reshape(2, -1, 6)),
    "reshape to the same": (Single("Reshape", {"shape": (-2,)}), lambda: DATA),
    "transpose": (Single("transpose", {"axes": (0, 2, 3, 1)}), lambda: DATA.transpose(0, 2, 3, 1)),
    "transpose of all axes": (Single("transpose", {}), lambda: DATA.T),
    "expanded dimensions": (Single("expand_dims", {"axis": -1}), lambda: DATA[..., None]),
    "concat": (Single("Concat", {"num_args": 2, "dim": -1}, copies=2), lambda: np.concatenate([DATA, DATA], -1)),
    "slice": (
        Single("slice", {"begin": (0, 1, None), "end": (None, 3, None), "step": (None, 1, -2)}),
        lambda: DATA[:, 1:3, ::-2],
    ),
    "slice of nothing but the batch": (Single("slice", {"begin": (None,), "end": (None,)}), lambda: DATA),
    "slice of an axis": (Single("slice_axis", {"axis": -1, "begin": -3, "end": None}), lambda: DATA[..., -3:]),
    "slice like": (Single("slice_like", {"axes": (2, -1)}, (MAP[..., :1],)), lambda: DATA[:, :, :1, :1]),
    "part of a split": (Single("SliceChannel", {"num_outputs": 2}), lambda: DATA[:, :2]),
    "squeezed part of a split": (
        Single("SliceChannel", {"num_outputs": 4, "squeeze_axis": True}),
        lambda: DATA[:, 0],
    ),
    "zeros": (Single("zeros_like", {}), lambda: np.zeros_like(DATA)),
    "ones": (Single("ones_like", {}), lambda: np.ones_like(DATA)),
    "range": (
        Single("_arange", {"start": 2, "stop": 5, "repeat": 2}, copies=0),
        lambda: np.array([2, 2, 3, 3, 4, 4]),
    ),
    "range up to a number": (Single("_arange", {"start": 3, "stop": None}, copies=0), lambda: np.arange(3)),
    "greater than a number": (
        Single("_greater_scalar", {"scalar": 0.1}),
        lambda: (np.float32(0.1) < DATA).astype(np.float32),
    ),
    "choice": (Single("where", {}, copies=3), lambda: DATA),
    "tile": (Single("tile", {"reps": (1, 3, 1, 2)}), lambda: np.tile(DATA, (1, 3, 1, 2))),
    "tile to more axes": (Single("tile", {"reps": (2, 1, 1, 1, 1)}), lambda: np.tile(DATA, (2, 1, 1, 1, 1))),
    "tile of the last axis": (Single("tile", {"reps": (2,)}), lambda: np.tile(DATA, 2)),
    "repeat": (Single("repeat", {"repeats": 2, "axis": -2}), lambda: DATA.repeat(2, axis=2)),
    "softmax": (Single("softmax", {"axis": 1, "temperature": 2.0}), lambda: softmax(DATA / np.float32(2), 1)),
    "softmax of the last axis": (Single("softmax", {}), lambda: softmax(DATA, 3)),
    "softmax activation": (Single("SoftmaxActivation", {"mode": "channel"}), lambda: softmax(DATA, 1)),
    "softmax output": (Single("SoftmaxOutput", {"multi_output": True}), lambda: softmax(DATA, 1)),
    "softmax output of the last axis": (Single("SoftmaxOutput", {"preserve_shape": True}), lambda: softmax(DATA, 3)),
}


@pytest.mark.parametrize(("single", "expected"), CASES.values(), ids=CASES.keys())
def test_operator_computes_its_formula(single: Single, expected: Callable[[], Array]) -> None:
    np.testing.assert_allclose(run_single(single, DATA), expected(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("operator", ["SoftmaxOutput", "SoftmaxActivation"])
def test_softmax_of_vectors_is_over_the_classes(operator: str) -> None:
    vectors = DATA[:, :, 0, 0]

    np.testing.assert_allclose(run_single(Single(operator, {}), vectors), softmax(vectors, 1), rtol=1e-5)
