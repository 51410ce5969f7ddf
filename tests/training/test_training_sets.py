"""Training sets: frozen from reviewed photos, unchanged by later verdicts, exported, and measured on by name."""

import io
import json
import zipfile
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from detection.conf import BASE_DIR
from detection.evaluation.archives import unpacked
from detection.evaluation.datasets import load_dataset
from detection.history.deletion import delete_detection
from detection.models import Detection, ModelVersion, TrainingMeasurement, TrainingPhoto, TrainingSet
from detection.review.service import Reviewer, Statement, judge
from tests.exports.test_formats import stored_photo
from tests.training.test_near_duplicates import as_jpeg, scene

pytestmark = pytest.mark.django_db
ANNA = Reviewer(name="anna")


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("training_set", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def reviewed() -> list[Detection]:
    """Twenty scenes, reviewed; of the first there are three photos, and of the second the dog is none."""
    detections = [stored_photo(as_jpeg(scene(0, shift)), ("cat", 0.9), name="frame.jpg") for shift in (1, 2)]
    detections += [stored_photo(as_jpeg(scene(seed)), ("cat", 0.9), ("dog", 0.8)) for seed in range(20)]
    for detection in detections:
        judge(detection, 0, [], ANNA, reviewed=True)
    judge(detections[3], 1, [Statement("1", "rejected")], ANNA, reviewed=True)
    stored_photo(as_jpeg(scene(77)), ("cat", 0.9), name="not-reviewed.jpg")
    return detections


def freeze(name: str = "street") -> TrainingSet:
    command("freeze", name, "--licence", "our own photos, CC BY 4.0")
    return TrainingSet.objects.filter(name=name).latest("number")


def test_set_is_frozen_with_near_duplicates_in_one_split(reviewed: list[Detection]) -> None:
    said = command("freeze", "street", "--licence", "our own photos")
    row = TrainingSet.objects.get()
    assert (
        f"Froze street@1: 18 train, 2 valid, 2 test; the largest group of near duplicates has 3. SHA-256 {row.sha256}"
        in said
    )
    assert row.photos.count() == 22
    of_scene = [row.photos.get(detection=reviewed[place]) for place in (0, 1, 2)]
    assert len({one.group for one in of_scene}) == len({one.split for one in of_scene}) == 1
    assert [label[0] for label in row.photos.get(detection=reviewed[3]).labels] == ["cat"]
    assert "street@1  18 train" in command("list")


def test_hash_follows_the_content_alone(reviewed: list[Detection]) -> None:
    first, again = freeze(), freeze()
    assert (again.number, again.sha256) == (2, first.sha256)
    judge(reviewed[5], 1, [Statement("1", "rejected")], ANNA, reviewed=True)
    assert freeze().sha256 != first.sha256
    assert len(first.photos.get(detection=reviewed[5]).labels) == 2


def test_new_version_keeps_the_splits_of_the_one_before(reviewed: list[Detection]) -> None:
    first = dict(freeze().photos.values_list("photo_sha256", "split"))
    for seed in range(100, 115):
        judge(stored_photo(as_jpeg(scene(seed)), ("cat", 0.9)), 0, [], ANNA, reviewed=True)
    second = dict(freeze().photos.values_list("photo_sha256", "split"))
    assert {key: second[key] for key in first} == first
    assert len(second) == 37


def test_export_is_what_ultralytics_and_our_own_reader_read(reviewed: list[Detection], tmp_path: Path) -> None:
    row = freeze()
    judge(reviewed[4], 1, [Statement("0", "rejected")], ANNA, reviewed=True)
    path = tmp_path / "street.zip"
    assert f"Wrote street@1 to {path}" in command("export", "street", str(path))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        described = json.loads(archive.read("training-set.json"))
        description = yaml.safe_load(archive.read("data.yaml"))
        label_files = [name for name in names if "/labels/" in name]
        lines = sum(len(archive.read(name).splitlines()) for name in label_files)
    assert (described["sha256"], described["licence"]) == (row.sha256, "our own photos, CC BY 4.0")
    assert [description[split] for split in ("train", "val", "test")] == ["train/images", "valid/images", "test/images"]
    assert description["nc"] == len(description["names"]) == len(row.classes)
    assert [name for name in names if name.endswith("data.yaml")] == ["data.yaml"]
    assert len(label_files) == sum("/images/" in name for name in names) == 22
    assert lines == sum(len(one.labels) for one in row.photos.all())
    with unpacked(path) as folder:
        assert len(load_dataset(folder).photos) == described["photos"]["test"]
    with pytest.raises(CommandError, match="exists already"):
        command("export", "street", str(path))


@pytest.mark.parametrize("chosen", ["coco", "voc"])
def test_each_split_is_a_dataset_in_other_formats(reviewed: list[Detection], tmp_path: Path, chosen: str) -> None:
    row = freeze()
    path = tmp_path / "street.zip"
    command("export", "street@1", str(path), "--format", chosen)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "street")
    for split, count in (("train", 18), ("valid", 2), ("test", 2)):
        found = load_dataset(tmp_path / "street" / split).photos
        assert len(found) == count
        labels = row.photos.filter(split=split).values_list("labels", flat=True)
        assert sum(len(photo.objects) for photo in found) == sum(map(len, labels))


def test_deleted_photo_is_gone_and_said_so(reviewed: list[Detection], tmp_path: Path) -> None:
    row = freeze()
    delete_detection(row.photos.filter(split="train").latest("pk").detection)  # type: ignore[arg-type]
    said = command("export", "street", str(tmp_path / "street.zip"))
    assert "1 of its photos have been deleted since" in said
    assert TrainingPhoto.objects.filter(detection=None).count() == 1
    with zipfile.ZipFile(tmp_path / "street.zip") as archive:
        assert json.loads(archive.read("training-set.json"))["photos_deleted_since"] == 1
        assert sum("/images/" in name for name in archive.namelist()) == 21


def test_what_cannot_be_frozen_says_why(tmp_path: Path) -> None:
    assert "There is no training set yet" in command("list")
    with pytest.raises(CommandError, match="needs 10 reviewed photos, and there are 0: review 10 more"):
        command("freeze", "street", "--licence", "ours")
    with pytest.raises(CommandError, match="no @ and no /"):
        command("freeze", "a@b", "--licence", "ours")
    with pytest.raises(CommandError, match="Say with --licence"):
        command("freeze", "street", "--licence", " ")
    with pytest.raises(CommandError, match=r"There is no training set street@3\. Known are: none"):
        command("export", "street@3", str(tmp_path / "x.zip"))


def test_model_is_measured_on_a_set_by_name_and_its_page_says_so(
    reviewed: list[Detection], admin_client: Client
) -> None:
    row, out = freeze(), StringIO()
    call_command("evaluate", "street@1", stdout=out)
    measured = TrainingMeasurement.objects.get()
    assert (measured.training_set, measured.photos) == (row, 2)
    assert f'photos = "street@1 test, 2 photos, SHA-256 {row.sha256}"' in out.getvalue()
    call_command("evaluate", "street", "--limit", "1", stdout=io.StringIO())
    assert TrainingMeasurement.objects.count() == 1
    with pytest.raises(CommandError, match=r"no training set streets\. Known are: street@1"):
        call_command("evaluate", "streets", stdout=io.StringIO())
    page = admin_client.get(reverse("admin:detection_trainingset_change", args=[row.pk])).content.decode()
    assert "train 18, valid 2, test 2" in page
    assert measured.model_name in page
    version = ModelVersion.objects.create(
        name=measured.model_name, version=measured.model_version, sha256="ab" * 32, folder=str(BASE_DIR)
    )
    page = admin_client.get(reverse("admin:detection_modelversion_change", args=[version.pk])).content.decode()
    assert "street@1: AP" in page
