"""Cards with likely mistakes, on annotated photos: the check names what to change."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.evaluation.annotations import AnnotatedObject, AnnotatedPhoto, DatasetError
from detection.evaluation.card_check import CardCheck, check_card
from detection.inference.cards.card import read_card
from detection.inference.engines.base import EngineOptions
from detection.models import ModelVersion
from detection.serving import service as serving
from tests.evaluation.builders import REAL
from tests.inference.model_folders import EDGE, card_of, constant_network, write_card
from tests.inference.paths import REPOSITORY
from tests.support import photos

ENGINE = EngineOptions("onnxruntime", threads=1)
NAMES = [f"class {number}" for number in range(80)]
GAPS = [each for each in range(1, 91) if each not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]
# Class and box in pixels of a photo of 64 x 64; the network's input is half as large.
TRUTH = [(4, (4.0, 20.0, 60.0, 36.0)), (7, (8.0, 40.0, 24.0, 60.0)), (60, (40.0, 2.0, 62.0, 14.0))]


def annotated(tmp_path: Path, count: int = 2) -> list[AnnotatedPhoto]:
    """Photos with the same objects in the same places."""
    found = tuple(AnnotatedObject(NAMES[label], box) for label, box in TRUTH)
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(photos.encode(photos.noise((64, 64)), "PNG"))
    return [AnnotatedPhoto(path, found) for path in paths]


def model(tmp_path: Path, decoding: dict[str, Any], *, labels: list[int], order: tuple[int, ...]) -> Path:
    """A network that answers with the truth, its labels and its order of a box's numbers, and a card."""
    boxes = (np.array([box for _, box in TRUTH])[:, order] / 64 * EDGE).astype(np.float32)
    scores = np.linspace(0.9, 0.6, len(TRUTH)).astype(np.float32)
    content = constant_network({"boxes": boxes, "scores": scores, "labels": np.array(labels, np.float32)})
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(content)
    keys = card_of(folder, {"net.onnx": hashlib.sha256(content).hexdigest()}) | {
        "family": "declared",
        "classes": NAMES,
        "decoding": {"boxes": "boxes", "scores": "scores", "labels": "labels", **decoding},
    }
    write_card(folder, keys)
    return folder


def check(tmp_path: Path, decoding: dict[str, Any], *, labels: list[int], order: tuple[int, ...]) -> CardCheck:
    folder = model(tmp_path, decoding, labels=labels, order=order)
    return check_card(read_card(folder), annotated(tmp_path), ENGINE)


XYXY, YXYX = (0, 1, 2, 3), (1, 0, 3, 2)
LABELS = [label for label, _ in TRUTH]


@pytest.mark.parametrize(
    ("decoding", "labels", "order", "changes"),
    [
        pytest.param({}, LABELS, XYXY, (), id="right"),
        pytest.param({}, LABELS, YXYX, ('box = "yxyx"',), id="order"),
        pytest.param({}, [each + 1 for each in LABELS], XYXY, ("first_label = 1",), id="one further"),
        pytest.param({"first_label": 1}, LABELS, XYXY, ("first_label = 0",), id="one less"),
        pytest.param(
            {"box": "yxyx"}, [each + 1 for each in LABELS], XYXY, ('box = "xyxy", first_label = 1',), id="both"
        ),
        pytest.param(
            {"first_label": 1},
            [GAPS[each] for each in LABELS],
            XYXY,
            ("class_ids = COCO's category numbers, with gaps",),
            id="gaps",
        ),
        pytest.param({"class_ids": [each - 1 for each in GAPS]}, GAPS[4:5] * 3, XYXY, None, id="nearly nothing"),
    ],
)
def test_another_reading_of_the_answers_is_named(
    decoding: dict[str, Any], labels: list[int], order: tuple[int, ...], changes: tuple[str, ...] | None, tmp_path: Path
) -> None:
    found = check(tmp_path, decoding, labels=labels, order=order)
    assert found.photos == 2
    if changes is None:
        assert found.changes == ("class_ids one more each",)
        return
    assert (found.changes, found.is_wrong) == (changes, bool(changes))
    assert found.best_ap50 == pytest.approx(1.0)
    assert {each.key for each in found.tried} == {"scale", "colour", "fit", "box", "classes"}


@pytest.mark.django_db
def test_the_command_prints_a_table_and_adds_what_is_right_alone(tmp_path: Path, limits: Any) -> None:
    limits(data_dir=tmp_path / "data", model_engine="onnxruntime")
    folder = model(tmp_path, {}, labels=[each + 1 for each in LABELS], order=XYXY)
    photos_json = coco(tmp_path)
    out = io.StringIO()
    with pytest.raises(
        CommandError, match=r"The card is wrong: with first_label = 1 .* is 1\.000, not 0\.000\. Correct"
    ):
        call_command("model", "add", str(folder), "--check", str(photos_json), stdout=out, stderr=io.StringIO())
    assert re.search(r"the card as it is +0\.000\n", out.getvalue())
    assert re.search(r"first_label = 1 +1\.000\n", out.getvalue())
    assert not ModelVersion.objects.exists()
    text = (folder / "model.toml").read_text(encoding="utf-8")
    (folder / "model.toml").write_text(text.replace("[decoding]", "[decoding]\nfirst_label = 1"), encoding="utf-8")
    call_command("model", "add", str(folder), "--check", str(photos_json), stdout=out, stderr=io.StringIO())
    serving.stop()
    assert "The card is as good as any.\nAdded net@1.0." in out.getvalue()


def coco(tmp_path: Path) -> Path:
    """The annotated photos as a COCO file."""
    boxes = [(number, label, box) for number in range(2) for label, box in TRUTH]
    annotated(tmp_path)
    document = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 64} for number in range(2)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
        "annotations": [
            {"id": index, "image_id": number, "category_id": label, "bbox": [x, y, right - x, bottom - y]}
            for index, (number, label, (x, y, right, bottom)) in enumerate(boxes)
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path / "annotations.json"


def test_photos_without_objects_that_the_model_knows_are_told(tmp_path: Path) -> None:
    photo = AnnotatedPhoto(tmp_path / "a.png", (AnnotatedObject("whale", (0, 0, 9, 9)),))
    with pytest.raises(DatasetError, match="No photo has an object of a class of nanodet_plus_m: person, bicycle"):
        check_card(read_card(REPOSITORY / "models" / "nanodet_plus_m"), [photo], ENGINE)


def test_a_wrong_range_is_named_for_a_trained_network(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    embedded = REPOSITORY / "models" / "nanodet_plus_m"
    for path in embedded.iterdir():
        (folder / path.name).symlink_to(path)
    text = (embedded / "model.toml").read_text(encoding="utf-8")
    (folder / "model.toml").unlink()
    (folder / "model.toml").write_text(
        text.replace("mean = [103.53, 116.28, 123.675]", "mean = [0, 0, 0]").replace(
            "std = [57.375, 57.12, 58.395]", "std = [1, 1, 1]"
        ),
        encoding="utf-8",
    )
    card = read_card(folder)
    assert card.input.std == (1, 1, 1)
    found = check_card(card, real_photos(tmp_path), ENGINE)
    assert found.is_wrong
    assert "mean = " in found.changes[0]
    assert found.best_ap50 > 0.9


def real_photos(tmp_path: Path) -> list[AnnotatedPhoto]:
    made = []
    for name, (_, coco_name, box) in REAL.items():
        (tmp_path / f"{name}.jpg").write_bytes(photos.real_photo(name))
        left, top, right, bottom = map(float, box)
        made.append(AnnotatedPhoto(tmp_path / f"{name}.jpg", (AnnotatedObject(coco_name, (left, top, right, bottom)),)))
    return made
