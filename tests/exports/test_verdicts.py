"""Verdicts take precedence in every export, and only reviewed detections can be chosen."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pycocotools.coco import COCO

from detection.inference.types import PixelBox
from detection.models import Detection
from detection.review.service import Reviewer, Statement, judge, undo
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
ANNA = Reviewer(name="anna")
BOX, DRAWN = PixelBox(1, 2, 30, 40), PixelBox(100, 120, 50, 60)
# Class, box, score: what an export of `judged` has to say.
TRUTH = [
    ("cat", (10, 20, 300, 200), 0.95),
    ("horse", (12, 22, 300, 200), 0.85),
    ("cat", (1, 2, 30, 40), 0.8),
    ("dog", (14, 24, 300, 200), 0.75),
    ("weak", (15, 25, 300, 200), 0.3),
    ("zebra crossing", (100, 120, 50, 60), None),
]


@pytest.fixture
def judged(db: None) -> Detection:
    """One object of each verdict, one that nobody judged, a weak one that was confirmed, and one that was drawn."""
    detection = stored_detection(
        ("cat", 0.95), ("cat", 0.9), ("cat", 0.85), ("cat", 0.8), ("dog", 0.75), ("weak", 0.3), ("weaker", 0.2)
    )
    said = [
        Statement("0", "confirmed"),
        Statement("1", "rejected"),
        Statement("2", "relabelled", "horse"),
        Statement("3", "corrected", None, BOX),
        Statement("5", "confirmed"),
        Statement(None, "added", "zebra crossing", DRAWN),
        Statement(None, "added", "mistake", DRAWN),
    ]
    judge(detection, 0, said, ANNA)
    judge(detection, 1, [Statement("a2", "rejected")], ANNA)
    return detection


def download(query: str) -> bytes:
    response: Any = Client().get(f"/api/export?{query}")
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def test_coco_has_what_people_said(judged: Detection, tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(download("format=coco"))
    coco = COCO(str(path))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    told = [
        (names[one["category_id"]], tuple(one["bbox"]), one.get("score"))
        for one in coco.loadAnns(coco.getAnnIds(imgIds=[judged.pk]))
    ]
    assert told == TRUTH


@pytest.mark.usefixtures("judged")
def test_tables_keep_the_score_of_the_model() -> None:
    rows = list(csv.DictReader(io.StringIO(download("format=csv").decode("utf-8-sig"))))
    told = [
        (
            row["class"],
            (int(row["x"]), int(row["y"]), int(row["width"]), int(row["height"])),
            float(row["probability"]) if row["probability"] else None,
        )
        for row in rows
    ]
    assert told == TRUTH
    (line,) = map(json.loads, download("format=jsonl").splitlines())
    assert [(one["objectClass"], one["probability"]) for one in line["prediction"]] == [
        (name, score) for name, _, score in TRUTH
    ]


@pytest.mark.usefixtures("judged")
def test_formats_of_many_files_name_the_classes_of_people() -> None:
    with zipfile.ZipFile(io.BytesIO(download("format=yolo"))) as archive:
        classes = archive.read("classes.txt").decode().splitlines()
        (labels,) = (archive.read(name).decode() for name in archive.namelist() if name.startswith("labels/"))
    assert [classes[int(line.split()[0])] for line in labels.splitlines()] == [name for name, _, _ in TRUTH]


def test_what_was_undone_is_not_exported(judged: Detection) -> None:
    undo(judged, 2, ANNA)
    undo(judged, 3, ANNA)
    (line,) = map(json.loads, download("format=jsonl").splitlines())
    told = [(one["objectClass"], one["probability"]) for one in line["prediction"]]
    assert told == [("cat", 0.95), ("cat", 0.9), ("cat", 0.85), ("cat", 0.8), ("dog", 0.75)]


def test_reviewed_detections_are_chosen_or_left_out(judged: Detection, client: Client) -> None:
    other = stored_detection(("cat", 0.9))
    judge(other, 0, [], ANNA, reviewed=True)
    for query, chosen in (("", {judged, other}), ("&reviewed=1", {other}), ("&reviewed=0", {judged})):
        lines = map(json.loads, download(f"format=jsonl{query}").splitlines())
        assert {line["image_id"] for line in lines} == {one.pk for one in chosen}
        listed = client.get(f"/api/detections/?page_size=5{query}").json()["results"]
        assert {one["id"] for one in listed} == {str(one.uuid) for one in chosen}
    listed = client.get("/api/detections/?reviewed=1&class=dog").json()["results"]
    assert listed == []
    html = client.get("/history/?reviewed=1").content.decode()
    assert (str(other.uuid) in html, str(judged.uuid) in html) == (True, False)
    assert client.get("/api/detections/?reviewed=maybe").status_code == 400
