"""YuNet against a reference in plain loops."""

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.yunet import YuNetDecoding, check, decode
from detection.inference.types import FloatArray
from tests.inference.families import reference
from tests.inference.families.comparing import assert_same
from tests.inference.families.networks import network_of

STRIDES = (8, 16, 32)
FACE = ("face",)


def random_outputs(size_wh: tuple[int, int], seed: int) -> dict[str, FloatArray]:
    """Boxes of a cell or two, probabilities from 0 to a little above 1, and landmarks."""
    random = np.random.default_rng(seed)
    outputs: dict[str, FloatArray] = {}
    for stride in STRIDES:
        count = len(reference.cells(size_wh, [stride]))
        for part, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{part}_{stride}"] = random.random((count, columns), dtype=np.float32) * np.float32(1.005)
    return outputs


@pytest.mark.parametrize("size_wh", [(64, 64), (96, 32)], ids=["square", "wide"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faces_are_those_of_the_reference(size_wh: tuple[int, int], seed: int) -> None:
    network = network_of("yunet", YuNetDecoding(STRIDES), size_wh, FACE)
    outputs = random_outputs(size_wh, seed)
    check(outputs, network)
    listed = {name: array.tolist() for name, array in outputs.items()}
    expected = reference.yunet(listed, size_wh, strides=STRIDES, low=0.2)
    assert_same(decode(outputs, network, 0.2), expected)


def test_outputs_of_another_network_are_refused() -> None:
    outputs = random_outputs((64, 64), 4)
    del outputs["obj_16"]
    with pytest.raises(CheckpointError, match=r"small has the outputs .* has cls_8 \(64, 1\), obj_8 \(64, 1\)"):
        check(outputs, network_of("yunet", YuNetDecoding(STRIDES), classes=FACE))
    with pytest.raises(CheckpointError, match="Correct family, classes"):
        check(random_outputs((64, 64), 4), network_of("yunet", YuNetDecoding(STRIDES)))


def test_logits_are_refused() -> None:
    outputs = random_outputs((64, 64), 5)
    outputs["cls_8"] = outputs["cls_8"] * 8 - 4
    with pytest.raises(CheckpointError, match="where the family yunet has probabilities"):
        check(outputs, network_of("yunet", YuNetDecoding(STRIDES), classes=FACE))


@pytest.mark.parametrize("values", [{"strides": ()}, {"iou_threshold": 1.5}])
def test_wrong_values_of_a_card_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        YuNetDecoding(**values)  # type: ignore[arg-type]
