"""DETR and its kin against a reference in plain loops."""

from typing import Any

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.families.detr import DetrDecoding, check, decode
from tests.inference.families import reference
from tests.inference.families.comparing import assert_same
from tests.inference.families.networks import CLASSES, network_of

QUERIES = 30


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize(("top", "low"), [(300, 0.4), (7, 0.1)], ids=["all", "the first seven"])
def test_objects_are_those_of_the_reference(activation: str, top: int, low: float) -> None:
    network = network_of("detr", DetrDecoding(activation, top=top))
    random = np.random.default_rng(5)
    softmax = activation == "softmax"
    logits = random.standard_normal((QUERIES, len(CLASSES) + softmax)).astype(np.float32)
    boxes = random.random((QUERIES, 4)).astype(np.float32)
    outputs = {"logits": logits, "boxes": boxes}
    check(outputs, network)
    expected = reference.detr(logits.tolist(), boxes.tolist(), softmax=softmax, low=low, top=top)
    assert_same(decode(outputs, network, low), expected)


def test_an_export_with_its_decoding_is_taken_as_it_is() -> None:
    network = network_of("detr", DetrDecoding("none", labels="ids"), (64, 32))
    outputs: dict[str, Any] = {
        "ids": np.array([2, 0, 7, -1], np.int64),
        "boxes": np.array([[0, 0, 32, 16], [16, 8, 64, 40], [0, 0, 1, 1], [0, 0, 1, 1]], np.float32),
        "scores": np.array([0.5, 0.9, 0.8, 0.7], np.float32),
    }
    found = decode(outputs, network, 0.3)
    assert found.class_ids.tolist() == [0, 2]
    assert found.boxes_xyxy_unit.tolist() == [[0.25, 0.25, 1, 1], [0, 0, 0.5, 0.5]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_columns_with_gaps_are_those_that_the_card_names(activation: str) -> None:
    random = np.random.default_rng(6)
    logits = random.standard_normal((QUERIES, 6)).astype(np.float32)
    boxes = random.random((QUERIES, 4)).astype(np.float32)
    network = network_of("detr", DetrDecoding(activation, class_ids=(4, 0, 2)))
    outputs = {"logits": logits, "boxes": boxes}
    check(outputs, network)
    found = decode(outputs, network, 0.2)
    columns = [(0, 4), (1, 0), (2, 2)]
    every = reference.detr(logits.tolist(), boxes.tolist(), softmax=activation == "softmax", low=0.2, top=300)
    expected = [(own, each) for each in every for own, column in columns if each.class_id == column]
    assert found.class_ids.tolist() == [own for own, _ in expected]
    np.testing.assert_allclose(found.scores, [each.score for _, each in expected], rtol=1e-5)
    assert len(expected) > 3


def test_labels_with_gaps_are_those_that_the_card_names() -> None:
    network = network_of("detr", DetrDecoding("none", class_ids=(1, 17, 90)))
    outputs: dict[str, Any] = {
        "labels": np.array([90, 3, 1, 91, -1, 17], np.int64),
        "boxes": np.zeros((6, 4), np.float32),
        "scores": np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4], np.float32),
    }
    check(outputs, network)
    found = decode(outputs, network, 0.3)
    assert found.class_ids.tolist() == [0, 2, 1]
    assert found.scores.tolist() == pytest.approx([0.8, 0.5, 0.4])


@pytest.mark.parametrize(
    ("decoding", "outputs", "sentence"),
    [
        pytest.param(
            DetrDecoding("none"),
            {"labels": np.array([0, 3]), "boxes": np.zeros((2, 4)), "scores": np.zeros(2)},
            "answers with class 3, and its card knows 0 to 2",
            id="a label too many",
        ),
        pytest.param(
            DetrDecoding("none"),
            {"labels": np.array([0, 1]), "boxes": np.zeros((2, 4)), "scores": np.array([4.0, -3.0])},
            "answers with -3 to 4 where the family detr has probabilities",
            id="no probabilities",
        ),
        pytest.param(
            DetrDecoding(class_ids=(0, 1)),
            {"logits": np.zeros((2, 2)), "boxes": np.zeros((2, 4))},
            "3 classes and 2 class_ids",
            id="a number too few",
        ),
        pytest.param(
            DetrDecoding(class_ids=(0, 1, 9)),
            {"logits": np.zeros((2, 9)), "boxes": np.zeros((2, 4))},
            r"logits \(2, 10\)",
            id="a column too few",
        ),
    ],
)
def test_classes_that_do_not_fit_are_refused(decoding: DetrDecoding, outputs: Any, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        check(outputs, network_of("detr", decoding))


@pytest.mark.parametrize(
    ("activation", "shapes"),
    [
        pytest.param("sigmoid", {"logits": (30, 4), "boxes": (30, 4)}, id="a class too many"),
        pytest.param("softmax", {"logits": (30, 3), "boxes": (30, 4)}, id="no class for nothing"),
        pytest.param("sigmoid", {"dets": (30, 4), "logits": (30, 3)}, id="other name"),
        pytest.param("none", {"boxes": (30, 4), "labels": (30,), "scores": (29,)}, id="one missing"),
        pytest.param("none", {"boxes": (), "labels": (30,), "scores": (30,)}, id="a number for boxes"),
    ],
)
def test_other_outputs_are_refused(activation: str, shapes: dict[str, tuple[int, ...]]) -> None:
    network = network_of("detr", DetrDecoding(activation))
    with pytest.raises(CheckpointError, match="model card"):
        check({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, network)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"activation": "tanh"}, "activation"),
        ({"logits": ""}, "names"),
        ({"top": 0}, "top"),
        ({"class_ids": (1, 1)}, "class_ids"),
        ({"class_ids": (-1,)}, "class_ids"),
        ({"class_ids": 3}, "class_ids"),
    ],
)
def test_decodings_that_make_no_sense_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DetrDecoding(**values)
