"""No card that is wrong in one thing is accepted: it is refused on the answer to a photo, or finds the same."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detection.inference.errors import InferenceError
from detection.inference.families.declaration import Declaration
from detection.inference.families.registry import FAMILIES
from detection.inference.network import Network
from detection.inference.sanity_checks import check_outputs, decoding_errors_as_checkpoint_errors
from detection.inference.types import Detections
from tests.exporters import recording
from tests.exporters.recording import PHOTOS, Recording
from tests.exporters.wrong_cards import RIGHT, Keys, wrong

DECLARED = FAMILIES["declared"]
ENGINE: Any = SimpleNamespace(name="recorded", precision="f32")
CHELSEA = PHOTOS.index("chelsea")
# Its answer to this photo has no object of class 0, which alone would show it; `model add --check` tries such shifts.
UNSEEN = {("ultralytics-v8-nms", "another first label")}


def accepted(recorded: Recording, keys: Keys) -> Detections | None:
    """What a card with this `[decoding]` finds in the photo; None where it is refused."""
    try:
        declaration = Declaration(**keys)
    except ValueError:
        return None
    network = Network(
        name=recorded.name,
        family="declared",
        onnx_path=Path("best.onnx"),
        decoding=declaration,
        classes=recorded.classes,
        size_wh=recorded.size_wh,
        sha256="0" * 64,
        prefix=Path("best"),
    )
    answer = recorded.answers[CHELSEA]
    outputs = {name: array[0] if declaration.batched else array for name, array in answer.items()}
    try:
        with decoding_errors_as_checkpoint_errors(network):
            check_outputs(outputs, network, DECLARED, ENGINE)
    except InferenceError:
        return None
    return DECLARED.decode(outputs, network, 0.05)


@pytest.mark.parametrize("name", recording.names())
def test_cards_that_are_wrong_in_one_thing_are_refused(name: str) -> None:
    recorded = recording.read(name)
    right = accepted(recorded, RIGHT[name])
    assert right is not None
    cards = dict(wrong(RIGHT[name]))
    found = {what: accepted(recorded, keys) for what, keys in cards.items()}
    wrongly = {what for what, objects in found.items() if objects is not None and not _are_same(objects, right)}
    assert {(name, what) for what in wrongly} == {each for each in UNSEEN if each[0] == name}


def _are_same(one: Detections, other: Detections) -> bool:
    return (
        len(one) == len(other)
        and np.array_equal(one.class_ids, other.class_ids)
        and np.allclose(one.scores, other.scores, atol=1e-3)
        and np.allclose(one.boxes_xyxy_unit, other.boxes_xyxy_unit, atol=1e-3)
    )


def test_there_are_as_many_wrong_cards_as_the_documentation_says() -> None:
    cards = [what for name in recording.names() for what, _ in wrong(RIGHT[name])]
    assert (len(cards), len(UNSEEN)) == (240, 1)
