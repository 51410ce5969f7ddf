"""Exports are read back with the libraries that people use for each format."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import numpy as np
import pytest
import yaml
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from pycocotools.coco import COCO

from detection.conf import BASE_DIR
from detection.evaluation import archives
from detection.evaluation.annotations import DatasetError
from detection.evaluation.datasets import load_dataset
from detection.exports import selection as selections
from detection.exports.registry import Member, export_formats, exports
from detection.inference.cards.card import read_card
from detection.inference.photos.decode import read_info
from detection.models import Batch, BatchItem, Detection
from detection.photos import store as photo_store
from detection.photos.xmp_reader import KEYWORDS, read_sidecar
from detection.protocols.labelstudio.label_config import parse_label_config
from tests.support.builders import SHA256, stored_detection
from tests.support.photos import encode, noise, two_colours, with_orientation

NANODET = BASE_DIR / "models" / "nanodet_plus_m"
FORMATS = ("coco", "voc", "yolo", "csv", "jsonl", "labelstudio", "parquet")  # with an entry for each photo
# supervision's own words on a machine without OpenCV.
without_opencv = pytest.mark.filterwarnings("ignore:OpenCV")


def stored_photo(data: bytes, *objects: tuple[str, float], name: str = "photo.jpg", **fields: Any) -> Detection:
    """Rows of a detection, with the photo's file and its true size."""
    info = read_info(data, max_pixels=10**9)
    stored = photo_store.save(data, info)
    detection = stored_detection(*objects, original_name=name, **fields)
    photo = detection.photo
    photo.file, photo.sha256, photo.format = stored.file, stored.sha256, stored.format
    photo.width, photo.height = info.size_wh
    photo.save()
    return detection


@pytest.fixture
def three(db: None) -> list[Detection]:
    """Two photos with objects, one object of them below the threshold, and one photo without any."""
    return [
        stored_photo(encode(noise((640, 480), 1)), ("cat", 0.9), ("dog", 0.8), ("sheep", 0.3), name="a/cat & dog.jpg"),
        stored_photo(encode(noise((500, 400), 2), "PNG"), name="nothing.png"),
        stored_photo(encode(noise((700, 300), 3)), ("unicorn", 0.7), name="../../\u043a\u043e\u0442.jpg"),
    ]


def download(query: str) -> bytes:
    """The body of an export, as the test client's plain server sends it."""
    response: Any = Client().get(f"/api/export?{query}")
    assert response.status_code == 200
    return b"".join(response.streaming_content)


@pytest.fixture
def unpacked(tmp_path: Path) -> Any:
    """Download an export with the photos and unpack it: a function from a format's name to the folder."""

    def unpack(name: str) -> Path:
        with zipfile.ZipFile(io.BytesIO(download(f"format={name}&photos=1"))) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path)
        return tmp_path

    return unpack


def expected_boxes(detection: Detection) -> list[tuple[str, list[int]]]:
    """Class and corners of the reported objects."""
    return [
        (found.class_name, [found.x, found.y, found.x + found.width, found.y + found.height])
        for found in detection.objects_found.all()
        if found.probability > detection.threshold
    ]


def read_boxes(dataset: Any) -> dict[int, list[tuple[str, list[int]]]]:
    """What supervision has read: class and corners by the id at the end of the photo's name."""
    return {
        int(Path(path).stem.rpartition("_")[2]): [
            (dataset.classes[class_id], np.rint(box).astype(int).tolist())
            for box, class_id in zip(found.xyxy, found.class_id, strict=True)
        ]
        for path, _, found in dataset
    }


@without_opencv
@pytest.mark.parametrize("name", ["coco", "voc", "yolo"])
def test_supervision_reads_back_every_box_and_class(name: str, three: list[Detection], unpacked: Any) -> None:
    from supervision import DetectionDataset

    folder = unpacked(name)
    if name == "coco":
        dataset = DetectionDataset.from_coco(
            str(folder / "images"), str(folder / "annotations" / "instances_default.json")
        )
    elif name == "voc":
        dataset = DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    else:
        dataset = DetectionDataset.from_yolo(str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml"))
    assert read_boxes(dataset) == {detection.pk: expected_boxes(detection) for detection in three}


def test_pycocotools_reads_images_categories_and_scores(three: list[Detection], tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(download("format=coco"))
    coco = COCO(str(path))
    assert coco.getImgIds() == [detection.pk for detection in three]
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())][:2] == ["aeroplane", "bicycle"]
    cats: Any = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(catNms=["cat"])))
    assert [(found["image_id"], found["bbox"], found["score"]) for found in cats] == [
        (three[0].pk, [10, 20, 300, 200], 0.9)
    ]
    assert coco.getCatIds(catNms=["sheep"]) == [17]
    assert coco.getCatIds(catNms=["unicorn"]) == [21]


def test_category_ids_do_not_depend_on_what_is_chosen(three: list[Detection]) -> None:
    everything, cats_only = json.loads(download("format=coco")), json.loads(download("format=coco&class=cat"))
    assert cats_only["categories"] == everything["categories"][:20]
    assert [image["id"] for image in cats_only["images"]] == [three[0].pk]


@pytest.mark.django_db
def test_categories_are_those_of_the_models_that_made_the_detections() -> None:
    both = {"mobilenet_ssd_voc": ("motorbike", 0.9), "nanodet_plus_m": ("motorcycle", 0.8)}
    versions = {"mobilenet_ssd_voc": "", "nanodet_plus_m": "1.0"}
    for model, found in both.items():
        stored_photo(encode(noise((64, 48))), found, ("person", 0.7), model_name=model, model_version=versions[model])
    stored_photo(encode(noise((64, 48))), ("griffin", 0.9), model_name="gone", model_version="7")
    document = json.loads(download("format=coco"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    # The 20 classes of the default, of COCO's 80 those that are not among them (14 have the same name), and one more.
    assert (len(names), len(set(names.values()))) == (20 + 66 + 1, 87)
    assert (names[1], names[21], names[87]) == ("aeroplane", "motorcycle", "griffin")
    told = [(each["image_id"], names[each["category_id"]]) for each in document["annotations"]]
    ids = [image["id"] for image in document["images"]]
    assert told == [
        (ids[0], "motorbike"),
        (ids[0], "person"),
        (ids[1], "motorcycle"),
        (ids[1], "person"),
        (ids[2], "griffin"),
    ]
    only = json.loads(download("format=coco&class=motorcycle"))
    assert [each["name"] for each in only["categories"]] == list(read_card(NANODET).classes)


def test_yolo_names_its_classes_in_both_files(three: list[Detection], unpacked: Any) -> None:
    folder = unpacked("yolo")
    classes = (folder / "classes.txt").read_text().split()
    assert (classes[0], classes[-1], len(classes)) == ("aeroplane", "unicorn", 21)
    assert '  20: "unicorn"\n' in (folder / "data.yaml").read_text()
    assert len(list((folder / "labels").iterdir())) == len(three)


def test_spreadsheets_take_tables_for_utf_8(three: list[Detection]) -> None:
    assert download("format=csv").startswith(b"\xef\xbb\xbfimage_id,")
    assert download("format=csv").count(b"\xef\xbb\xbf") == 1


def test_yolo_lets_its_reader_look_beside_the_description(three: list[Detection], unpacked: Any) -> None:
    described = yaml.safe_load((unpacked("yolo") / "data.yaml").read_bytes())
    # Ultralytics takes the file's own folder where there is no `path`, and "." for one below its own settings.
    assert (described.keys(), described["train"]) == ({"train", "val", "nc", "names"}, "images")


@pytest.mark.django_db
def test_lists_of_classes_have_a_line_for_each(unpacked: Any) -> None:
    stored_photo(encode(noise((64, 48))), ("a\nb", 0.9), ("گل\N{ZERO WIDTH NON-JOINER}میخ", 0.8))
    yolo = unpacked("yolo")
    described = yaml.safe_load((yolo / "data.yaml").read_bytes())
    classes = (yolo / "classes.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(classes) == described["nc"] == len(described["names"])
    assert (described["names"][20], described["names"][21]) == ("a\nb", "گل\N{ZERO WIDTH NON-JOINER}میخ")
    assert classes[20:] == ["a\N{REPLACEMENT CHARACTER}b", "گل\N{ZERO WIDTH NON-JOINER}میخ"]


def test_voc_lists_its_photos_and_classes_for_datumaro(three: list[Detection], unpacked: Any) -> None:
    folder = unpacked("voc")
    listed = (folder / "ImageSets" / "Main" / "default.txt").read_text(encoding="utf-8").splitlines()
    assert [int(name.rpartition("_")[2]) for name in listed] == [detection.pk for detection in three]
    assert sorted(f"{name}.xml" for name in listed) == sorted(path.name for path in (folder / "Annotations").iterdir())
    comment, *classes = (folder / "labelmap.txt").read_text(encoding="utf-8").splitlines()
    assert comment.startswith("#")
    assert (classes[0], classes[-1], len(classes)) == ("aeroplane:::", "unicorn:::", 21)


def test_coco_has_its_boxes_where_datumaro_looks(three: list[Detection], unpacked: Any) -> None:
    folder = unpacked("coco")
    document = json.loads((folder / "annotations" / "instances_default.json").read_bytes())
    assert all((folder / "images" / image["file_name"]).is_file() for image in document["images"])


@pytest.mark.parametrize("name", ["coco", "voc", "yolo"])
def test_evaluation_takes_the_zips_that_are_exported(name: str, three: list[Detection], tmp_path: Path) -> None:
    path = tmp_path / f"detections.{name}.zip"
    path.write_bytes(download(f"format={name}&photos=1"))
    with archives.unpacked(path) as folder:
        dataset = load_dataset(folder)
    assert dataset.name == f"detections.{name}"
    read = {
        int(photo.path.stem.rpartition("_")[2]): sorted(
            (each.class_name, [round(edge) for edge in each.box_xyxy_px]) for each in photo.objects
        )
        for photo in dataset.photos
    }
    assert read == {detection.pk: sorted(expected_boxes(detection)) for detection in three}


@pytest.mark.parametrize("name", ["coco", "voc", "yolo"])
def test_an_export_without_its_photos_is_told(name: str, three: list[Detection], tmp_path: Path) -> None:
    path = tmp_path / ("coco.json" if name == "coco" else f"{name}.zip")
    path.write_bytes(download(f"format={name}"))
    with archives.unpacked(path) as folder, pytest.raises(DatasetError, match="with the photos"):
        load_dataset(folder)


def test_csv_has_a_row_for_each_object_and_one_for_a_photo_without_any(three: list[Detection]) -> None:
    rows = list(csv.DictReader(io.StringIO(download("format=csv").decode("utf-8-sig"))))
    assert [(row["image_id"], row["class"], row["probability"], row["x"]) for row in rows] == [
        (str(three[0].pk), "cat", "0.9", "10"),
        (str(three[0].pk), "dog", "0.8", "11"),
        (str(three[1].pk), "", "", ""),
        (str(three[2].pk), "unicorn", "0.7", "10"),
    ]


@pytest.fixture
def two_versions(db: None) -> list[tuple[str, str]]:
    """A model whose version a spreadsheet would run, and one without a version."""
    for version in ("=2", ""):
        stored_photo(encode(noise((64, 48))), ("cat", 0.9), model_name="net", model_version=version, tile_grid="2x2")
    return [("net", "=2"), ("net", "")]


def test_coco_images_name_model_version_and_hash(two_versions: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(download("format=coco"))
    coco = COCO(str(path))
    images: Any = coco.loadImgs(coco.getImgIds())
    assert [(image["model_name"], image["model_version"]) for image in images] == two_versions
    assert {image["model_sha256"] for image in images} == {SHA256}
    assert len(coco.getAnnIds()) == 2


def test_csv_has_what_came_later_in_last_columns(two_versions: list[tuple[str, str]]) -> None:
    rows = list(csv.reader(io.StringIO(download("format=csv").decode("utf-8-sig"))))
    assert rows[0][:12] == [
        *("image_id", "detection", "created_at", "source", "file_name", "original_name"),
        *("image_width", "image_height", "model_name", "threshold", "class", "probability"),
    ]
    assert rows[0][12:] == ["x", "y", "width", "height", "model_version", "tiles", "time_s"]
    assert [(row[8], *row[-3:]) for row in rows[1:]] == [("net", "'=2", "2x2", ""), ("net", "", "2x2", "")]


def test_json_lines_name_the_version(two_versions: list[tuple[str, str]]) -> None:
    lines = [json.loads(line) for line in download("format=jsonl").splitlines()]
    assert [(line["model_name"], line["model_version"]) for line in lines] == two_versions
    assert list(lines[0])[8:12] == ["model_name", "model_version", "model_sha256", "tiles"]
    assert {line["tiles"] for line in lines} == {"2x2"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("=HYPERLINK(1).jpg", "'=HYPERLINK(1).jpg", id="equals"),
        pytest.param("+1.jpg", "'+1.jpg", id="plus"),
        pytest.param("-1.jpg", "'-1.jpg", id="minus"),
        pytest.param("@SUM(1).jpg", "'@SUM(1).jpg", id="at"),
        pytest.param("\uff1d1.jpg", "'\uff1d1.jpg", id="wide equals"),
        pytest.param('a",=1.jpg', 'a",=1.jpg', id="quotes and commas stay in their cell"),
        pytest.param("2=1.jpg", "2=1.jpg", id="no formula"),
    ],
)
def test_formulas_in_csv_cells_are_text(name: str, shown: str) -> None:
    stored_detection(("cat", 0.9), original_name=name)
    rows = list(csv.DictReader(io.StringIO(download("format=csv").decode("utf-8-sig"), newline="")))
    assert [row["original_name"] for row in rows] == [shown]


def test_json_lines_carry_the_objects_as_the_api_answers_them(three: list[Detection]) -> None:
    lines = [json.loads(line) for line in download("format=jsonl").decode().splitlines()]
    assert [line["detection"] for line in lines] == [str(detection.uuid) for detection in three]
    assert lines[0]["prediction"][1] == {
        "objectClass": "dog", "probability": 0.8, "x": 11, "y": 21, "width": 300, "height": 200
    }  # fmt: skip
    assert lines[1]["prediction"] == []


def test_photos_have_unique_and_safe_names(three: list[Detection]) -> None:
    stored_photo(encode(noise((640, 480), 1)), name="a/cat & dog.jpg")
    with zipfile.ZipFile(io.BytesIO(download("format=csv&photos=1"))) as archive:
        names = archive.namelist()
    first, second, third = (detection.pk for detection in three)
    assert names == [
        "detections.csv",
        f"images/cat_dog_{first}.jpg",
        f"images/nothing_{second}.png",
        f"images/photo_{third}.jpg",
        f"images/cat_dog_{third + 1}.jpg",
    ]


@pytest.mark.django_db
def test_photos_of_a_turned_camera_lie_upright() -> None:
    stored_photo(with_orientation(two_colours((64, 32)), 6))
    with zipfile.ZipFile(io.BytesIO(download("format=voc&photos=1"))) as archive:
        photo = Image.open(io.BytesIO(archive.read(archive.namelist()[-1])))
    assert photo.size == (64, 32)
    assert photo.getexif().get(0x0112, 1) == 1
    assert np.asarray(photo)[28, 60].tolist() == pytest.approx([0, 0, 255], abs=12)


def test_missing_and_damaged_photos_are_listed_not_fatal(three: list[Detection], stored_files: Any) -> None:
    photo_store.discard(three[0].photo.file)
    Path(default_storage.path(three[1].photo.file)).write_bytes(b"damaged")
    with zipfile.ZipFile(io.BytesIO(download("format=yolo&photos=1"))) as archive:
        images = [name for name in archive.namelist() if name.startswith("images/")]
        missing = archive.read("missing-photos.txt").decode()
    assert images == [f"images/photo_{three[2].pk}.jpg"]
    assert missing.endswith(f"\n\ncat_dog_{three[0].pk}.jpg\nnothing_{three[1].pk}.png\n")
    assert len(stored_files()) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_filters_and_batches_choose_what_is_exported(name: str, three: list[Detection]) -> None:
    batch = Batch.objects.create(name="two", threshold=0.5)
    for position, detection in enumerate(three[:2]):
        BatchItem.objects.create(
            batch=batch, position=position, name="a", size_bytes=1, state=BatchItem.State.DONE, detection=detection
        )
    queries = {
        "": three,
        f"&batch={batch.uuid}": three[:2],
        f"&batch={batch.uuid}&class=cat": three[:1],
        "&class=unicorn": three[2:],
        "&date_to=2001-01-01": [],
    }
    found = {query: exported_ids(name, download(f"format={name}{query}")) for query in queries}
    assert found == {query: [detection.pk for detection in chosen] for query, chosen in queries.items()}


def exported_ids(name: str, body: bytes) -> list[int]:
    if name == "coco":
        return [image["id"] for image in json.loads(body)["images"]]
    if name == "csv":
        return sorted({int(row["image_id"]) for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig")))})
    if name == "jsonl":
        return [json.loads(line)["image_id"] for line in body.splitlines()]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if name == "parquet":
            return parquet_column(archive.read("photos/part-00000.parquet"), "image_id")
        if name == "labelstudio":
            tasks = json.loads(archive.read("tasks.json"))
            return [int(Path(task["data"]["image"]).stem.rpartition("_")[2]) for task in tasks]
        labels = [Path(entry) for entry in archive.namelist() if Path(entry).parent.name in {"labels", "Annotations"}]
    return [int(path.stem.rpartition("_")[2]) for path in labels]


def test_sidecars_lie_beside_upright_photos_and_have_classes_and_regions(
    three: list[Detection], unpacked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpacked("sidecars") / "images"
    found = {path.name: read_sidecar(path.read_bytes()) for path in folder.glob("*.xmp")}
    first, last = f"cat_dog_{three[0].pk}.jpg", f"photo_{three[2].pk}.jpg"
    assert sorted(found) == [f"{first}.xmp", f"{last}.xmp"]
    assert all((folder / name).is_file() for name in (first, last))
    keywords = [sorted(found[f"{first}.xmp"].lists[each.key].texts) for each in KEYWORDS]
    assert keywords == [["cat", "dog"]] * 3
    width, height = three[0].photo.width, three[0].photo.height
    boxes = [
        (
            name,
            [
                round(each)
                for each in ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            ],
        )
        for name, (x, y, w, h) in found[f"{first}.xmp"].regions
    ]
    assert boxes == expected_boxes(three[0])


@pytest.mark.django_db
def test_sidecar_of_a_class_that_xml_cannot_hold_is_read() -> None:
    stored_photo(encode(noise((640, 480))), ("<b>&\x01", 0.9))
    with zipfile.ZipFile(io.BytesIO(download("format=sidecars"))) as archive:
        (name,) = archive.namelist()
        assert read_sidecar(archive.read(name)).regions[0][0] == "<b>&\N{REPLACEMENT CHARACTER}"


def test_label_studio_has_boxes_in_percent_and_a_configuration(three: list[Detection], unpacked: Any) -> None:
    """What its own package says of them: `make clients`."""
    folder = unpacked("labelstudio")
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    assert [len(task["predictions"][0]["result"]) for task in tasks] == [2, 0, 1]
    for task, detection in zip(tasks, three, strict=True):
        assert (folder / "images" / Path(task["data"]["image"]).name).is_file()
        assert task["meta"]["detection"] == str(detection.uuid)
        boxes = [
            (
                region["value"]["rectanglelabels"][0],
                [
                    round(percent * size / 100)
                    for percent, size in zip(
                        corners(region["value"]), (detection.photo.width, detection.photo.height) * 2, strict=True
                    )
                ],
            )
            for region in task["predictions"][0]["result"]
        ]
        assert boxes == expected_boxes(detection)
    config = (folder / "label_config.xml").read_text(encoding="utf-8")
    assert parse_label_config(config).label_of("Unicorn") == "unicorn"


def parquet_column(data: bytes, name: str) -> list[Any]:
    from pyarrow import parquet

    found: list[Any] = parquet.read_table(io.BytesIO(data))[name].to_pylist()
    return found


def test_parquet_is_read_by_duckdb_and_typed(three: list[Detection], unpacked: Any) -> None:
    import duckdb

    folder = unpacked("parquet")
    photos, objects = (f"'{folder}/{name}/*.parquet'" for name in ("photos", "objects"))
    rows = duckdb.execute(
        f"SELECT image_id, class, x, y, x + o.width, y + o.height FROM {objects} o ORDER BY image_id, probability DESC"
    ).fetchall()
    assert [(name, list(box)) for _, name, *box in rows] == [
        box for detection in three for box in expected_boxes(detection)
    ]
    told = duckdb.execute(f"SELECT detection, file, objects, created_at FROM {photos} ORDER BY image_id").fetchall()
    assert [row[0] for row in told] == [str(detection.uuid) for detection in three]
    assert [row[2] for row in told] == [2, 0, 1]
    assert [row[3] for row in told] == [detection.created_at for detection in three]
    assert all((folder / "images" / row[1]).is_file() for row in told)
    kinds = {name: kind for name, kind, *_ in duckdb.execute(f"DESCRIBE SELECT * FROM {photos}").fetchall()}
    assert (kinds["width"], kinds["created_at"], kinds["image_id"]) == ("INTEGER", "TIMESTAMP WITH TIME ZONE", "BIGINT")


def test_parquet_comes_in_files_of_a_bounded_size(three: list[Detection], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detection.exports.formats.parquet.PHOTOS_IN_FILE", 2)
    with zipfile.ZipFile(io.BytesIO(download("format=parquet"))) as archive:
        names = archive.namelist()
        ids = [one for name in names[:2] for one in parquet_column(archive.read(name), "image_id")]
    assert names == [f"photos/part-{number:05}.parquet" for number in (0, 1)] + ["objects/part-00000.parquet"]
    assert ids == [detection.pk for detection in three]


def test_parquet_without_its_package_says_what_to_install(three: list[Detection]) -> None:
    with mock.patch("importlib.util.find_spec", return_value=None):
        response = Client().get("/api/export?format=parquet")
    assert response.status_code == 400
    assert "pip install -r requirements-parquet.txt" in response.json()["error"]


def corners(value: dict[str, float]) -> list[float]:
    x, y = value["x"], value["y"]
    return [x, y, x + value["width"], y + value["height"]]


@pytest.mark.parametrize("name", FORMATS)
def test_reading_goes_on_from_chunk_to_chunk(
    name: str, three: list[Detection], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = download(f"format={name}")
    monkeypatch.setattr(selections, "CHUNK", 1)
    assert exported_ids(name, download(f"format={name}")) == exported_ids(name, whole)
    assert len(exported_ids(name, whole)) == len(three)


@pytest.mark.django_db
def test_boxes_without_an_area_are_not_for_training() -> None:
    detection = stored_photo(encode(noise((640, 480))), ("cat", 0.9), ("dog", 0.8))
    detection.objects_found.filter(class_name="cat").update(width=0)
    assert [found["bbox"] for found in json.loads(download("format=coco"))["annotations"]] == [[11, 21, 300, 200]]
    assert b"cat" in download("format=csv")


@pytest.mark.django_db
def test_what_xml_cannot_hold_does_not_break_it() -> None:
    stored_photo(encode(noise((64, 48))), ("<b>&\x01", 0.9), name="\ufffe<&>.jpg")
    with zipfile.ZipFile(io.BytesIO(download("format=voc"))) as archive:
        (name,) = (each for each in archive.namelist() if each.startswith("Annotations/"))
        document = archive.read(name).decode()
    assert "<name>&lt;b&gt;&amp;\ufffd</name>" in document
    assert "<image>\ufffd&lt;&amp;&gt;.jpg</image>" in document


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param(
            "",
            "format is ''; set it to one of coco, csv, jsonl, labelstudio, parquet, voc, sidecars, yolo.",
            id="no format",
        ),
        pytest.param("format=excel", "format is 'excel'; set it to one of", id="unknown format"),
        pytest.param("format=csv&photos=maybe", "photos is 'maybe'; set it to one of 0, false, 1, true", id="photos"),
        pytest.param("format=csv&date_from=monday", "date_from: Enter a valid date.", id="date"),
        pytest.param("format=csv&batch=7", "batch: Enter a valid UUID.", id="batch"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_sentence(query: str, sentence: str) -> None:
    response = Client().get(f"/api/export?{query}")
    assert response.status_code == 400
    assert response.json()["error"].startswith(sentence)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "suffix", "content_type"),
    [
        pytest.param("format=coco", ".coco.json", "application/json", id="one file"),
        pytest.param("format=csv&photos=1", ".csv.zip", "application/zip", id="with photos"),
        pytest.param("format=voc", ".voc.zip", "application/zip", id="many files"),
    ],
)
def test_download_says_what_it_is(query: str, suffix: str, content_type: str) -> None:
    response = Client().get(f"/api/export?{query}")
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"].startswith('attachment; filename="detections-20')
    assert response["Content-Disposition"].endswith(f'{suffix}"')


@pytest.mark.django_db
def test_event_loop_server_streams_the_same_bytes() -> None:
    stored_photo(encode(noise((640, 480))), ("cat", 0.9))

    async def fetch() -> bytes:
        response: Any = await AsyncClient().get("/api/export?format=coco")
        return b"".join([part async for part in response.streaming_content])

    assert async_to_sync(fetch)() == download("format=coco")


@pytest.mark.django_db
def test_detections_that_come_in_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stored_detection(("cat", 0.9))
    monkeypatch.setattr(selections, "CHUNK", 1)
    response: Any = Client().get("/api/export?format=jsonl")
    stored_detection(("dog", 0.9))
    assert b"".join(response.streaming_content).count(b"\n") == 1


@pytest.mark.django_db
def test_one_more_object_costs_no_more_queries() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            download("format=jsonl")
        return len(captured)

    stored_detection(("cat", 0.9))
    of_one = queries()
    for _ in range(3):
        stored_detection(("cat", 0.9), ("dog", 0.8))
    assert queries() == of_one < 20


@pytest.mark.django_db
def test_classes_that_no_model_knows_are_those_of_the_chosen_detections() -> None:
    stored_detection(("griffin", 0.9), ("cat", 0.8))
    stored_detection(("unicorn", 0.9))
    names = [one["name"] for one in json.loads(download("format=coco&class=cat"))["categories"]]
    assert names[-1] == "griffin"
    assert "cat" in names
    assert "unicorn" not in names


def test_command_writes_what_the_address_answers(three: list[Detection], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "cats.json"
    call_command("export", "coco", str(path), "--class", "cat", "--min-probability", "0.5")
    assert capsys.readouterr().out.startswith(f"Wrote {path}")
    assert path.read_bytes() == download("format=coco&class=cat&min_probability=0.5")
    assert list(tmp_path.iterdir()) == [path]


def test_command_writes_to_a_pipe(three: list[Detection], capfdbinary: Any) -> None:
    call_command("export", "jsonl", "-")
    assert capfdbinary.readouterr().out.count(b"\n") == len(three)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["{folder}/there"], "exists already", id="would overwrite"),
        pytest.param(["{folder}/no/such/folder"], "cannot be written", id="no folder"),
        pytest.param(["{folder}/new", "--batch", "7"], "--batch: Enter a valid UUID.", id="bad filter"),
    ],
)
def test_command_says_what_it_cannot_do_and_leaves_nothing(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    (tmp_path / "there").write_text("kept")
    with pytest.raises(CommandError, match=sentence):
        call_command("export", "csv", *(argument.format(folder=tmp_path) for argument in arguments))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_broken_export_leaves_no_file(three: list[Detection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_detection: Detection) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(selections, "photo_name", breaks)
    with pytest.raises(RuntimeError, match="in the middle"):
        call_command("export", "csv", str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


def test_a_format_has_one_writer() -> None:
    def second(_selection: Any) -> Iterator[Member]:
        yield Member("second", b"")

    with pytest.raises(RuntimeError, match="csv has two writers"):
        exports("csv", "Second")(second)
    assert sorted(export_formats()) == sorted([*FORMATS, "sidecars"])


@pytest.mark.usefixtures("three")
def test_unknown_batch_gives_an_empty_export() -> None:
    assert download("format=jsonl") != download(f"format=jsonl&batch={uuid4()}") == b""
