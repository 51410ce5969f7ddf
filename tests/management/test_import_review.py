"""`manage.py import_review`: what people drew in Label Studio, or wrote as COCO, becomes verdicts, once."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.exports.names import photo_name
from detection.models import Detection, Review, Verdict
from tests.support.builders import SHA256, stored_detection

pytestmark = pytest.mark.django_db
Box = tuple[int, int, int, int]
CAT, DOG, NEW = (10, 20, 300, 200), (11, 21, 300, 200), (400, 300, 100, 80)


def coco(stored: Detection, *objects: tuple[str, Box], **image: Any) -> dict[str, Any]:
    """A COCO file of one photo, as our export writes it; of half the size, as tools may scale photos."""
    names = sorted({name for name, _ in objects})
    about = {"id": 7, "file_name": photo_name(stored), "width": 320, "height": 240, "detection": str(stored.uuid)}
    return {
        "images": [about | image],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 3)],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": names.index(name) + 3, "bbox": [side / 2 for side in box]}
            for number, (name, box) in enumerate(objects)
        ],
    }


def task(detection: Detection, *objects: tuple[str, Box], **fields: Any) -> dict[str, Any]:
    """A task of Label Studio's with one annotation, in percent of 640 x 480."""
    result = [
        {
            "type": "rectanglelabels",
            "value": {
                **dict(zip(("x", "y", "width", "height"), _percent(box), strict=True)),
                "rotation": 0,
                "rectanglelabels": [name],
            },
        }
        for name, box in objects
    ]
    return {
        "data": {"image": f"/data/local-files/?d=images/{photo_name(detection)}"},
        "meta": {"detection": str(detection.uuid)},
        "annotations": [{"result": result, "was_cancelled": False, "updated_at": "2026-11-02T10:00:00Z"}],
    } | fields


def _percent(box: Box) -> list[float]:
    return [100 * side / whole for side, whole in zip(box, (640, 480, 640, 480), strict=True)]


@pytest.fixture
def take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Import a document: a function that returns the exit code and what was told."""

    def run(document: Any, *arguments: str) -> tuple[int, str]:
        path = tmp_path / "reviews.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        code = 0
        try:
            call_command("import_review", str(path), *arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.fixture
def detection() -> Detection:
    return stored_detection(("cat", 0.9), ("dog", 0.8), original_name="a/cat.jpg")


def verdicts(detection: Detection) -> list[tuple[str, str, Box]]:
    rows = Verdict.objects.filter(detection=detection).exclude(kind="reviewed").order_by("step", "pk")
    return [(one.kind, one.class_name, (one.x, one.y, one.width, one.height)) for one in rows]


@pytest.mark.parametrize("form", [coco, lambda *given: [task(*given)]], ids=["COCO", "Label Studio"])
def test_boxes_become_verdicts_and_a_second_time_changes_nothing(form: Any, detection: Detection, take: Any) -> None:
    document = form(detection, ("cat", CAT), ("bird", NEW))
    assert take(document) == (0, "1 photos taken over, 0 were so already, 0 left out.\n")
    wanted = [("confirmed", "cat", CAT), ("rejected", "dog", DOG), ("added", "bird", NEW)]
    assert verdicts(detection) == wanted
    review = Review.objects.get(detection=detection)
    assert (review.is_reviewed, review.reviewer_name) == (True, "import")
    assert take(document) == (0, "0 photos taken over, 1 were so already, 0 left out.\n")
    assert verdicts(detection) == wanted


def test_other_class_and_moved_box_are_taken_over_and_moved_again(detection: Detection, take: Any) -> None:
    moved, further = (10, 20, 280, 200), (420, 300, 100, 80)
    take([task(detection, ("lion", CAT), ("dog", moved), ("bird", NEW))])
    assert verdicts(detection) == [("relabelled", "lion", CAT), ("corrected", "dog", moved), ("added", "bird", NEW)]
    take([task(detection, ("lion", CAT), ("dog", moved), ("bird", further))])
    assert verdicts(detection)[3:] == [("added", "bird", further)]
    take([task(detection, ("lion", CAT), ("dog", moved))])
    assert verdicts(detection)[4:] == [("cleared", "bird", further)]


def test_box_beyond_the_photo_is_clipped(detection: Detection, take: Any) -> None:
    take(coco(detection, ("cat", CAT), ("dog", DOG), ("bird", (600, 440, 100, 100)), ("bird", (700, 0, 50, 50))))
    assert verdicts(detection)[2:] == [("added", "bird", (600, 440, 40, 40))]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("images/cat_{pk}.jpg", id="our export's name"),
        pytest.param("1a2b3c4d-cat_{pk}.jpg", id="our export's name, uploaded to Label Studio"),
        pytest.param("a/cat.jpg", id="its own name"),
        pytest.param("elsewhere/" + SHA256 + ".jpg", id="its hash"),
    ],
)
def test_photo_is_found_by_its_name(name: str, detection: Detection, take: Any) -> None:
    document = coco(detection, ("cat", CAT), file_name=name.format(pk=detection.pk), detection="")
    assert take(document)[0] == 0
    assert [kind for kind, _, _ in verdicts(detection)] == ["confirmed", "rejected"]


def test_what_has_no_detection_is_named_and_the_rest_taken_over(detection: Detection, take: Any) -> None:
    twin = stored_detection(("cat", 0.9), original_name="twin.jpg")
    other = stored_detection(("cat", 0.9), original_name="twin.jpg")
    other.photo.sha256 = "0" * 64
    other.photo.save()
    gone = task(detection, ("cat", CAT), data={"image": "s3://b/gone.jpg"}, meta={"detection": str(uuid4())})
    several = task(detection, ("cat", CAT), data={"image": "twin.jpg"}, meta={})
    rotated = task(twin, ("cat", CAT))
    rotated["annotations"][0]["result"][0]["value"]["rotation"] = 30
    code, told = take([gone, several, rotated, task(detection, ("cat", CAT))])
    assert code == 3
    assert "gone.jpg: No detection has this photo." in told
    assert "twin.jpg: Several photos have this name." in told
    assert f"{photo_name(twin)}: It has a rotated box or a crowd." in told
    assert "1 photos taken over, 0 were so already, 3 left out." in told
    assert Verdict.objects.exclude(detection=detection).count() == 0


def test_newest_annotation_counts_and_what_was_skipped_is_left(detection: Detection, take: Any) -> None:
    document = task(detection, ("cat", CAT))
    older = {"result": [], "was_cancelled": False, "updated_at": "2026-11-01T10:00:00Z"}
    skipped = {"result": [], "was_cancelled": True, "updated_at": "2026-11-03T10:00:00Z"}
    document["annotations"] += [older, skipped]
    take([document, task(detection, annotations=[skipped])])
    assert [kind for kind, _, _ in verdicts(detection)] == ["confirmed", "rejected"]


def test_verdicts_are_those_of_the_user_who_is_named(detection: Detection, take: Any) -> None:
    get_user_model().objects.create_user("ada")
    take(coco(detection, ("cat", CAT)), "--reviewer", "ada")
    assert Review.objects.get(detection=detection).reviewer_name == "ada"
    with pytest.raises(CommandError, match="There is no user bob"):
        take(coco(detection), "--reviewer", "bob")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        pytest.param("no", "is no JSON", id="text"),
        pytest.param("{}", "is neither Label Studio's JSON", id="another object"),
        pytest.param(
            '[{"data": {}}]', "lacks something, or has another kind of it: KeyError", id="tasks of another kind"
        ),
        pytest.param('{"images": 1, "annotations": [], "categories": []}', "TypeError", id="numbers for lists"),
    ],
)
def test_file_of_another_kind_says_so(document: str, sentence: str, take: Any) -> None:
    with pytest.raises(CommandError, match=sentence):
        take(document)
