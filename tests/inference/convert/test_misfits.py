"""Operators that do not fit what they are given: the error names the layer and the reason."""

import numpy as np
import pytest

from detection.inference.convert.graph import GraphBuilder, Value
from detection.inference.convert.operators.multibox import MultiBoxPriorAttributes, prior
from detection.inference.convert.registry import converts, registered_converters
from detection.inference.errors import CheckpointError
from tests.inference.convert.single import Single, run_single

DATA = np.zeros((2, 4, 5, 6), np.float32)
WEIGHT = np.zeros((3, 4, 3, 3), np.float32)
DENSE = np.zeros((3, 120), np.float32)
BIAS = np.zeros(3, np.float32)
MAP = np.zeros((1, 4, 1, 1), np.float32)
CHANNELS = (np.ones(4, np.float32),) * 4
KERNEL = {"kernel": (3, 3), "num_filter": 3}


def convolution(**changes: object) -> Single:
    return Single("Convolution", KERNEL | changes, (WEIGHT, BIAS))


def pooling(**changes: object) -> Single:
    return Single("Pooling", {"kernel": (3, 3), "stride": (2, 2)} | changes)


MISFITS: dict[str, tuple[Single, str]] = {
    "kernel larger than the map": (
        convolution(kernel=(9, 3)),
        "is larger than the padded",
    ),
    "stride of 0": (convolution(stride=(0, 1)), "must be at least 1"),
    "groups that do not divide": (convolution(num_group=2), "into 2 groups"),
    "bias against no_bias": (
        convolution(no_bias=True),
        "no_bias says otherwise",
    ),
    "no bias against no_bias": (Single("FullyConnected", {"num_hidden": 3}, (DENSE,)), "no_bias says otherwise"),
    "pooling without a kernel": (Single("Pooling", {}), "must have two numbers each"),
    "pooling larger than the map": (pooling(kernel=(9, 9)), "larger than the padded feature map"),
    "padding larger than the kernel": (pooling(pad=(3, 3)), "do not go together"),
    "window outside of the map": (
        pooling(pooling_convention="full", stride=(4, 4), kernel=(1, 1)),
        "lies outside of the feature map",
    ),
    "prelu without slopes": (Single("LeakyReLU", {"act_type": "prelu"}), "second input with its slopes"),
    "slopes without prelu": (Single("LeakyReLU", {}, (CHANNELS[0],)), "second input with its slopes"),
    "no such axis": (Single("BatchNorm", {"axis": 4}, CHANNELS), "there is no axis 4"),
    "normalisation along the batch": (Single("BatchNorm", {"axis": 0}, CHANNELS), "axis 0 .* is the batch"),
    "normalisation of a single axis": (Single("BatchNorm", {"axis": 0}, (BIAS,) * 5, copies=0), "there is no axis 1"),
    "sum of unequal shapes": (Single("elemwise_add", {}, (MAP,)), "its inputs differ in shape"),
    "broadcast of unequal ranks": (Single("broadcast_add", {}, (CHANNELS[0],)), "cannot be broadcast"),
    "broadcast of unequal sizes": (Single("broadcast_add", {}, (MAP[:, :3],)), "cannot be broadcast"),
    "no order of axes": (Single("transpose", {"axes": (0, 1, 1, 2)}), "are no order of the axes"),
    "axis beyond the new end": (Single("expand_dims", {"axis": 5}), "axis 5 cannot be added"),
    "concat of unequal shapes": (Single("Concat", {"num_args": 2}, (MAP,)), "differ in shape beside axis 1"),
    "concat of the batch": (Single("Concat", {"num_args": 2, "dim": 0}, copies=2), "is the batch"),
    "slice with too few ends": (Single("slice", {"begin": (0, 1), "end": (None,)}), "begin, end and step do not fit"),
    "slice of nothing": (Single("slice_axis", {"axis": 1, "begin": 3, "end": 3}), "nothing is left of axis 1"),
    "slice with step 0": (
        Single("slice", {"begin": (None, 0), "end": (None, 2), "step": (None, 0)}),
        "slice step cannot be zero",
    ),
    "slice of the batch": (Single("slice_axis", {"axis": 0, "begin": 0, "end": 1}), "cuts photos out of the batch"),
    "slice like something larger": (Single("slice_like", {"axes": (1,)}, (DENSE,)), "is smaller than"),
    "slice like an axis that is not there": (Single("slice_like", {"axes": (4,)}, (MAP,)), "there is no axis 4"),
    "slice of the batch like a constant": (
        Single("slice_like", {"axes": (0,)}, (MAP,)),
        "cuts photos out of the batch",
    ),
    "split that does not divide": (Single("SliceChannel", {"num_outputs": 3}), "cannot be cut into 3 parts"),
    "split into nothing": (Single("SliceChannel", {"num_outputs": 0}), "cannot be cut into 0 parts"),
    "squeezed split of more": (Single("split", {"num_outputs": 2, "squeeze_axis": True}), "cannot be cut into 2 parts"),
    "range of nothing": (Single("_arange", {"start": 2, "stop": 2}, copies=0), "give no numbers"),
    "range with step 0": (Single("_arange", {"start": 0, "stop": 2, "step": 0}, copies=0), "give no numbers"),
    "range beyond memory": (Single("_arange", {"start": 0, "stop": 1e9}, copies=0), "or too many"),
    "choice of unequal shapes": (Single("where", {}, (MAP,), copies=2), "its inputs differ in shape"),
    "tile of the batch": (Single("tile", {"reps": (2, 1, 1, 1)}), "repeats the photos of a batch"),
    "tile to nothing": (Single("tile", {"reps": (0,)}), "its output would be"),
    "repeat of the batch": (Single("repeat", {"repeats": 2, "axis": 0}), "axis 0 .* is the batch"),
    "repeat beyond memory": (Single("repeat", {"repeats": 10**9, "axis": 1}), "its output would be"),
    "boxes of feature maps": (Single("_contrib_box_decode", {}, copies=2), "is no regression of the anchors"),
    "softmax at no temperature": (Single("softmax", {"temperature": 0}), "divides by nothing"),
    "softmax of maps": (Single("SoftmaxActivation", {}), "needs mode=channel"),
    "softmax output of maps": (Single("SoftmaxOutput", {}), "needs multi_output or preserve_shape"),
    "anchors without sizes": (Single("_contrib_MultiBoxPrior", {"sizes": "()"}), "must be positive"),
    "anchors of negative ratios": (Single("_contrib_MultiBoxPrior", {"ratios": (1, -2)}), "must be positive"),
    "anchors of no size": (Single("_contrib_MultiBoxPrior", {"ratios": (1e-60,)}), "anchors that are no boxes"),
    "up-sampling to nothing": (Single("UpSampling", {"scale": 0, "sample_type": "nearest"}), r"\(N, 4, 0, 0\)"),
    "up-sampling beyond memory": (Single("UpSampling", {"scale": 10**6, "sample_type": "nearest"}), "would be"),
    "anchors with one step": (Single("_contrib_MultiBoxPrior", {"steps": (0.1, -1)}), "for both axes or for none"),
}


@pytest.mark.parametrize(("single", "reason"), MISFITS.values(), ids=MISFITS.keys())
def test_operator_that_does_not_fit_is_named(single: Single, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        run_single(single, DATA)

    assert f"layer ({single.operator}) cannot be converted" in str(caught.value)


@pytest.mark.parametrize("operator", ["L2Normalization", "Pooling"])
def test_vectors_are_no_feature_maps(operator: str) -> None:
    attributes = {"mode": "spatial"} if operator == "L2Normalization" else {"global_pool": True}

    with pytest.raises(CheckpointError, match=r"needs more than 2 axes|is not that of a feature map"):
        run_single(Single(operator, attributes), DATA[:, :, 0, 0])


def test_operator_cannot_have_two_converters() -> None:
    with pytest.raises(RuntimeError, match="Convolution has two converters"):
        converts("Convolution")(registered_converters()["Flatten"].convert)


def test_more_anchors_than_any_network_has_are_refused() -> None:
    graph = GraphBuilder()
    feature = Value("feature", (None, 1, 4000, 4000))

    with pytest.raises(ValueError, match="a feature map of 4000 x 4000 has more than 4000000 anchors"):
        prior(graph, [feature], MultiBoxPriorAttributes())
