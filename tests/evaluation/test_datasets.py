"""Datasets as people have them: both styles read the same, and what does not fit is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detection.evaluation.annotations import DatasetError
from detection.evaluation.class_names import COCO_TO_VOC, class_ids
from detection.evaluation.datasets import load_dataset
from tests.evaluation.builders import REAL, coco_document, voc_object, write_coco, write_photos, write_voc
from tests.support.checkpoints import EMBEDDED_PREFIX

VOC_CLASSES = tuple(EMBEDDED_PREFIX.with_name("synset.txt").read_text(encoding="utf-8").split())


def test_a_voc_folder_has_its_photos_and_continuous_boxes(tmp_path: Path) -> None:
    dataset = load_dataset(write_voc(tmp_path / "street"))
    assert (dataset.name, dataset.style) == ("street", "Pascal VOC")
    found = {photo.path.stem: photo.objects for photo in dataset.photos}
    assert sorted(found) == sorted(REAL)
    for name, (class_name, _, box) in REAL.items():
        (only,) = found[name]
        assert (only.class_name, only.box_xyxy_px, only.uncounted) == (class_name, box, False)


def test_difficult_objects_are_marked(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "voc")
    objects = voc_object("cat", (0, 0, 9, 9), difficult=1) + voc_object("cat", (0, 0, 5, 5))
    (folder / "Annotations" / "chelsea.xml").write_text(f"<annotation>{objects}</annotation>", encoding="utf-8")
    (chelsea,) = (photo for photo in load_dataset(folder).photos if photo.path.name == "chelsea.jpg")
    assert [each.uncounted for each in chelsea.objects] == [True, False]


@pytest.mark.parametrize(("lists", "expected"), [(("val",), "chelsea"), (("val", "test"), "astronaut")])
def test_the_photos_that_no_model_was_trained_on_are_taken(
    lists: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    folder = write_voc(tmp_path / "voc")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for name in lists:
        line = {"val": "chelsea 1\n\n", "test": "astronaut\n"}[name]
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text(line, encoding="utf-8")
    assert [photo.path.stem for photo in load_dataset(folder).photos] == [expected]


def test_a_coco_folder_has_the_same_boxes(tmp_path: Path) -> None:
    dataset = load_dataset(write_coco(tmp_path / "street"))
    assert (dataset.name, dataset.style) == ("street", "COCO")
    assert [photo.path.stem for photo in dataset.photos] == list(REAL)
    for photo, (_, coco_name, box) in zip(dataset.photos, REAL.values(), strict=True):
        assert (photo.objects[0].class_name, photo.objects[0].box_xyxy_px) == (coco_name, box)


def test_cocos_own_folders_are_found(tmp_path: Path) -> None:
    write_photos(tmp_path / "val2017")
    (tmp_path / "annotations").mkdir()
    document = coco_document()
    document["annotations"][0]["iscrowd"] = 1
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "annotations" / "captions_val2017.json").write_text("{}", encoding="utf-8")
    photos = load_dataset(tmp_path).photos
    assert [photo.path.is_file() for photo in photos] == [True] * 3
    assert [each.uncounted for each in photos[0].objects] == [True, False]
    assert load_dataset(tmp_path / "annotations" / "instances_val2017.json").photos == photos


def two_files(folder: Path) -> None:
    (folder / "annotations.json").unlink()
    (folder / "annotations").mkdir()
    for name in ("a", "b"):
        (folder / "annotations" / f"{name}.json").write_text("{}", encoding="utf-8")


def without_photos(folder: Path) -> None:
    document = json.dumps({"images": [], "annotations": [], "categories": []})
    (folder / "annotations.json").write_text(document, encoding="utf-8")


BROKEN_COCO: dict[str, tuple[Callable[[Path], object], str]] = {
    "no annotations": (lambda folder: (folder / "annotations.json").unlink(), "has no annotations. Give a folder"),
    "several files": (two_files, r"has several files \(a.json, b.json\)"),
    "no JSON": (lambda folder: (folder / "annotations.json").write_bytes(b"{"), "is no annotation file of COCO"),
    "another JSON": (lambda folder: (folder / "annotations.json").write_bytes(b"[]"), "is no annotation file of COCO"),
    "a photo is missing": (lambda folder: (folder / "images" / "chelsea.jpg").unlink(), "1 of 3 photos .* are missing"),
    "no photo at all": (without_photos, "names no photo"),
}


@pytest.mark.parametrize("case", BROKEN_COCO)
def test_a_coco_folder_that_does_not_fit_is_said(case: str, tmp_path: Path) -> None:
    break_it, sentence = BROKEN_COCO[case]
    folder = write_coco(tmp_path / "coco")
    break_it(folder)
    with pytest.raises(DatasetError, match=sentence):
        load_dataset(folder)


BROKEN_VOC = {
    "no XML": ("<annotation>", "is no annotation of Pascal VOC"),
    "no box": ("<a><object><name>cat</name></object></a>", "an object has no bndbox/xmin"),
    "no number": (f"<a>{voc_object('cat', (0, 0, 9, 9))}</a>".replace("9", "nine"), "is no annotation of Pascal VOC"),
}


@pytest.mark.parametrize("case", BROKEN_VOC)
def test_a_voc_annotation_that_does_not_fit_is_said(case: str, tmp_path: Path) -> None:
    content, sentence = BROKEN_VOC[case]
    folder = write_voc(tmp_path / "voc")
    (folder / "Annotations" / "chelsea.xml").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=sentence):
        load_dataset(folder)


def test_a_listed_photo_without_annotation_is_said(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "voc")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "val.txt").write_text("ghost\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"ghost\.xml is missing"):
        load_dataset(folder)


def test_cocos_names_lead_to_vocs_classes() -> None:
    known = class_ids(VOC_CLASSES)
    assert {coco: VOC_CLASSES[known[coco]] for coco in COCO_TO_VOC} == COCO_TO_VOC
    assert known["person"] == VOC_CLASSES.index("person")
    assert "giraffe" not in known


def test_a_models_own_names_come_first() -> None:
    assert class_ids(("couch", "sofa")) == {"couch": 0, "sofa": 1}
    assert class_ids(("giraffe",)) == {"giraffe": 0}
