"""The self-test on a trained network's answers in many layouts: right cards pass, and wrong ones are refused."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detection.inference.engines.base import Outputs
from detection.inference.errors import CheckpointError
from detection.inference.families.declared import FAMILY, decode
from detection.inference.families.places import require_places
from detection.inference.network import Network
from detection.inference.sanity_checks import check_outputs, decoding_errors_as_checkpoint_errors
from detection.inference.types import Detections
from tests.inference.families.trained import COCO_IDS, RIGHT, answers, levels_of, network
from tests.inference.families.wrong_cards import Card, wrong_cards
from tests.inference.paths import REPOSITORY

ENGINE: Any = SimpleNamespace(name="onnxruntime", precision="f32")
CAT = 15
# Nothing in an answer tells that all classes are one further; `model add --check` does.
CLASS_SHIFTS = {
    ("torchvision", "first_label = 0"),
    ("TensorFlow's object detection", "first_label = 0"),
    ("EfficientDet", "first_label = 0"),
    ("RF-DETR", "class_ids without gaps"),
    ("RF-DETR", "class_ids from 0"),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def self_test(
    decoding: dict[str, Any], outputs: list[Outputs], change: Callable[[Network], Network] = lambda network: network
) -> Detections:
    """Try a card as a detector does, on noise, a photo and the photo in a corner; return what is found in the photo."""
    card = change(network(decoding))
    with decoding_errors_as_checkpoint_errors(card):
        for each in outputs:
            check_outputs(each, card, FAMILY, ENGINE)
        require_places(card.decoding, outputs[2], card)
    return decode(outputs[1], card, 0.3)


def same(one: Detections, other: Detections) -> bool:
    return (
        one.class_ids.tolist() == other.class_ids.tolist()
        and np.allclose(one.boxes_xyxy_unit, other.boxes_xyxy_unit, atol=1e-4)
        and np.allclose(one.scores, other.scores, atol=1e-3)
    )


def outcome(card: Card, outputs: list[Outputs], right: Detections) -> str:
    """What comes of a card: refused, the same objects as those of the right one, or wrong objects."""
    _, decoding, change = card
    try:
        found = self_test(decoding, outputs, change)
    except (CheckpointError, ValueError):
        return "refused"
    return "the same objects" if same(found, right) else "wrong objects"


@pytest.fixture(scope="module")
def outcomes(cache: Path) -> dict[tuple[str, str], str]:
    """What comes of each wrong card of each layout."""
    answered = answers(cache)
    found: dict[tuple[str, str], str] = {}
    for layout, (make, right) in RIGHT.items():
        outputs = [make(each) for each in answered]
        objects = self_test(right, outputs)
        assert objects.class_ids[0] == CAT
        found |= {(layout, card[0]): outcome(card, outputs, objects) for card in wrong_cards(right, outputs[0])}
    return found


def test_right_cards_pass_and_wrong_ones_are_refused(outcomes: dict[tuple[str, str], str]) -> None:
    assert {card for card, each in outcomes.items() if each == "wrong objects"} == CLASS_SHIFTS
    refused = Counter(layout for (layout, _), each in outcomes.items() if each == "refused")
    assert min(refused[layout] for layout in RIGHT) >= 25


def test_the_documentation_says_how_many_were_tried(outcomes: dict[tuple[str, str], str]) -> None:
    text = " ".join((REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8").split())
    counts = Counter(outcomes.values())
    assert (
        f"Of {len(outcomes)} wrong cards for the answers of a trained network in {len(RIGHT)} layouts, each with one "
        f"or two things changed that people get wrong, {counts['refused']} are refused, "
        f"{counts['the same objects']} find "
        f"the same objects, and none of the {len(RIGHT)} right ones is refused."
    ) in text


def test_a_single_class_and_an_untrained_network_are_not_refused() -> None:
    random = np.random.default_rng(3)
    corners = random.uniform(0, 300, (200, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 100, (200, 2))], axis=1)
    outputs: Outputs = {"boxes": boxes.astype(np.float32), "logits": random.normal(0, 3, (200, 80)).astype(np.float32)}
    right = {"boxes": "boxes", "scores": "logits", "activation": "sigmoid", "nms": 0.5}
    assert len(self_test(right, [outputs] * 3)) > 0
    assert len(COCO_IDS) == 80


def test_boxes_of_cells_with_the_coarsest_level_first_are_places_too(cache: Path) -> None:
    make, right = RIGHT["YOLO-NAS, raw"]
    outputs: list[Outputs] = [
        {name: np.concatenate(levels_of(array)[::-1]) for name, array in make(each).items()} for each in answers(cache)
    ]
    assert self_test(right, outputs).class_ids[0] == CAT
