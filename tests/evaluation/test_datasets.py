"""Datasets as people have them: both styles read the same, and what does not fit is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detection.evaluation.annotations import DatasetError
from detection.evaluation.class_names import COCO_TO_VOC, class_ids
from detection.evaluation.datasets import load_dataset
from tests.evaluation.builders import REAL, coco_document, voc_object, write_coco, write_photos, write_voc, write_yolo
from tests.support import photos
from tests.support.checkpoints import EMBEDDED_PREFIX, REPOSITORY

CASES = REPOSITORY.parent / "shared" / "cases"
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


def in_latin_1(folder: Path) -> None:
    text = json.dumps(coco_document()).replace("cat", "chat échaudé")
    (folder / "annotations.json").write_bytes(text.encode("latin-1"))


def a_photo(folder: Path) -> None:
    (folder / "annotations.json").write_bytes(photos.encode(photos.noise((80, 60))) * 100)


def changed(change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Break a document: a function from its folder."""

    def write(folder: Path) -> None:
        document = coco_document()
        change(document)
        (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")

    return write


BROKEN_COCO: dict[str, tuple[Callable[[Path], object], str]] = {
    "no annotations": (lambda folder: (folder / "annotations.json").unlink(), "has no annotations. Give a folder"),
    "several files": (two_files, r"has several files \(a.json, b.json\)"),
    "no JSON": (lambda folder: (folder / "annotations.json").write_bytes(b"{"), "is no annotation file of COCO"),
    "another JSON": (lambda folder: (folder / "annotations.json").write_bytes(b"[]"), "is no annotation file of COCO"),
    "a photo is missing": (lambda folder: (folder / "images" / "chelsea.jpg").unlink(), "1 of 3 photos .* are missing"),
    "no photo at all": (without_photos, "names no photo"),
    "not UTF-8": (in_latin_1, "is no annotation file of COCO: it is not UTF-8 text"),
    "a photo in its place": (a_photo, "is no annotation file of COCO: it is not UTF-8 text"),
    "no number": (
        changed(lambda all_: all_["annotations"][0].update(bbox="x" * 10**6)),
        "annotation 1 has a value of a",
    ),
    "endless box": (changed(lambda all_: all_["annotations"][1].update(bbox=[1, 2, 3, 1e999])), "annotation 2 has a"),
    "no list": (changed(lambda all_: all_.update(images={})), "has no list 'images'"),
    "no file name": (changed(lambda all_: all_["images"][2].pop("file_name")), "image 3 has no 'file_name'"),
    "unknown category": (
        changed(lambda all_: all_["annotations"][0].update(category_id="c" * 10**6)),
        "of category cc",
    ),
    "deep": (lambda folder: (folder / "annotations.json").write_bytes(b"[" * 10**6), "nested too deeply"),
    "two photos for a file": (changed(lambda all_: all_["images"][0].update(file_name="b\\astronaut.jpg")), "both be"),
}


@pytest.mark.parametrize("case", BROKEN_COCO)
def test_a_coco_folder_that_does_not_fit_is_said(case: str, tmp_path: Path) -> None:
    break_it, sentence = BROKEN_COCO[case]
    folder = write_coco(tmp_path / "coco")
    break_it(folder)
    with pytest.raises(DatasetError, match=sentence) as refused:
        load_dataset(folder)
    assert len(str(refused.value)) < 700
    assert "\n" not in str(refused.value)


BROKEN_VOC = {
    "no XML": ("<annotation>", "is no annotation of Pascal VOC"),
    "no box": ("<a><object><name>cat</name></object></a>", "an object has no bndbox/xmin"),
    "long number": (f"<a>{voc_object('cat', (0, 0, 9, 9))}</a>".replace("9", "n" * 10**6), "for a number"),
    "no number": (f"<a>{voc_object('cat', (0, 0, 9, 9))}</a>".replace("9", "nine"), "is no annotation of Pascal VOC"),
}


@pytest.mark.parametrize("case", BROKEN_VOC)
def test_a_voc_annotation_that_does_not_fit_is_said(case: str, tmp_path: Path) -> None:
    content, sentence = BROKEN_VOC[case]
    folder = write_voc(tmp_path / "voc")
    (folder / "Annotations" / "chelsea.xml").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=sentence) as refused:
        load_dataset(folder)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(r"images\{}", id="backslash"),
        pytest.param(r"images\1\{}", id="folder of another machine"),
        pytest.param(r"C:\Users\Anna\data\images\{}", id="drive"),
        pytest.param(r"\\server\share\{}", id="share"),
        pytest.param("/home/anna/data/{}", id="another machine's"),
        pytest.param("..\\..\\{}", id="upwards"),
        pytest.param("data%2Fimages%2F{}", id="of an address"),
    ],
)
def test_photos_are_found_by_paths_of_other_machines(named: str, tmp_path: Path) -> None:
    coco, voc = write_coco(tmp_path / "coco"), write_voc(tmp_path / "voc")
    document = coco_document()
    for image in document["images"]:
        image["file_name"] = named.format(image["file_name"])
    (coco / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    for path in (voc / "Annotations").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(f"{path.stem}.jpg", named.format(f"{path.stem}.jpg")), encoding="utf-8")
    assert [photo.path for photo in load_dataset(coco).photos] == [coco / "images" / f"{name}.jpg" for name in REAL]
    assert {photo.path for photo in load_dataset(voc).photos} == {voc / "JPEGImages" / f"{name}.jpg" for name in REAL}


def test_names_with_backslashes_are_theirs_first(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "coco")
    (folder / "images" / "chelsea.jpg").rename(folder / "images" / "a\\chelsea.jpg")
    changed(lambda all_: all_["images"][0].update(file_name="a\\chelsea.jpg"))(folder)
    assert load_dataset(folder).photos[0].path.name == "a\\chelsea.jpg"


def test_the_shared_case_of_label_studio_is_found() -> None:
    folder = CASES / "datasets" / "coco_lsurl"
    if not folder.is_dir():
        pytest.skip("needs the folder shared/cases beside the repository")
    (photo,) = load_dataset(folder).photos
    assert (photo.path, photo.objects[0].class_name) == (folder / "images" / "a.jpg", "cat")


def test_voc_lists_hold_names_with_spaces_and_any_line_ends(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "voc")
    (folder / "Annotations" / "chelsea.xml").rename(folder / "Annotations" / "a cat.xml")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "default.txt").write_bytes(b"\xef\xbb\xbfa cat\r\nastronaut 1\r\n")
    assert [photo.path.stem for photo in load_dataset(folder).photos] == ["chelsea", "astronaut"]


def test_a_yolo_folder_has_the_same_boxes(tmp_path: Path) -> None:
    dataset = load_dataset(write_yolo(tmp_path / "street"))
    assert (dataset.name, dataset.style) == ("street", "YOLO")
    found = {photo.path.stem: photo.objects for photo in dataset.photos}
    for name, (_, coco_name, box) in REAL.items():
        assert found[name][0].class_name == coco_name
        assert found[name][0].box_xyxy_px == pytest.approx(box)


def list_of_classes(folder: Path) -> None:
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_bytes(b"\xef\xbb\xbfcat\r\nperson\r\nmotorcycle")


YOLO_FORMS: dict[str, Callable[[Path], object]] = {
    "byte order mark and CRLF": lambda folder: (folder / "data.yaml").write_bytes(
        b"\xef\xbb\xbf" + (folder / "data.yaml").read_bytes().replace(b"\n", b"\r\n")
    ),
    "path of Ultralytics": lambda folder: (folder / "data.yaml").write_text(
        "path: .\ntest:\nval: [images]\nnames: {0: cat, 1: person, 2: motorcycle}\n"
    ),
    "path of Roboflow": lambda folder: (folder / "data.yaml").write_text(
        "val: ../images\nnames: [cat, person, motorcycle]\n"
    ),
    "path of Windows": lambda folder: (folder / "data.yaml").write_text(
        "path: C:\\data\nval: .\\images\nnames: [cat, person, motorcycle]\n"
    ),
    "list of photos": lambda folder: (
        (folder / "val.txt").write_bytes(b"\r\n".join(f".\\images\\{name}.jpg".encode() for name in REAL)),
        (folder / "data.yaml").write_text("val: val.txt\nnames: [cat, person, motorcycle]\n"),
    ),
    "list of classes": list_of_classes,
    "polygon": lambda folder: (folder / "labels" / "chelsea.txt").write_bytes(b"0 0 0 1 0 1 1 0 1\r\n"),
}


@pytest.mark.parametrize("form", YOLO_FORMS)
def test_yolo_is_read_in_the_forms_that_people_have(form: str, tmp_path: Path) -> None:
    folder = write_yolo(tmp_path / "yolo")
    YOLO_FORMS[form](folder)
    found = {photo.path.stem: [each.class_name for each in photo.objects] for photo in load_dataset(folder).photos}
    assert found == {name: [coco_name] for name, (_, coco_name, _) in REAL.items()}


BROKEN_YOLO: dict[str, tuple[str, bytes, str]] = {
    "no YAML": ("data.yaml", b"val: [", "describes no dataset of YOLO: it is no YAML"),
    "Latin-1": ("data.yaml", b"val: \xe9", "it is not UTF-8 text"),
    "deep": ("data.yaml", b"[" * 10_000, "it is no YAML"),
    "another YAML": ("data.yaml", b"- 1", "it has no names of classes"),
    "no names": ("data.yaml", b"val: images", "its names are no list"),
    "no photos": ("data.yaml", b"names: [cat]", "it names no photos under test, val or train"),
    "missing photos": ("data.yaml", b"names: [cat]\nval: elsewhere", "there is no elsewhere beside it"),
    "no box": ("labels/chelsea.txt", b"0 0.5 0.5 0.1\n", r"chelsea\.txt: line 1 is no object of YOLO"),
    "no class": ("labels/chelsea.txt", b"0 .5 .5 .1 .1\n9 .5 .5 .1 .1\n", "line 2 is no object"),
    "no number": ("labels/chelsea.txt", b"0 .5 .5 .1 nan\n", "line 1 is no object"),
    "no photo": ("images/chelsea.jpg", b"x", r"chelsea\.jpg: "),
}


@pytest.mark.parametrize("case", BROKEN_YOLO)
def test_a_yolo_folder_that_does_not_fit_is_said(case: str, tmp_path: Path) -> None:
    name, content, sentence = BROKEN_YOLO[case]
    folder = write_yolo(tmp_path / "yolo")
    (folder / name).write_bytes(content)
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
