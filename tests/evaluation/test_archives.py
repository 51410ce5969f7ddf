"""Datasets that are zips: what archivers make of a folder, and what is no dataset at all."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from detection.evaluation.annotations import DatasetError
from detection.evaluation.archives import unpacked
from detection.evaluation.datasets import load_dataset
from tests.evaluation.builders import REAL, write_coco, write_voc, write_yolo

BUILDERS: dict[str, Callable[[Path], Path]] = {"COCO": write_coco, "Pascal VOC": write_voc, "YOLO": write_yolo}


@pytest.mark.parametrize("style", BUILDERS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "in a folder"])
def test_a_zip_is_read_as_its_folder(style: str, wrapped: bool, tmp_path: Path) -> None:
    folder = BUILDERS[style](tmp_path / "street")
    where = (tmp_path, "street") if wrapped else (folder, ".")
    path = Path(shutil.make_archive(str(tmp_path / "street"), "zip", *where))
    with unpacked(path) as inside:
        dataset = load_dataset(inside)
        found = {photo.path.stem: photo.objects for photo in dataset.photos}
        assert found == {photo.path.stem: photo.objects for photo in load_dataset(folder).photos}
        assert (dataset.name, dataset.style, set(found)) == ("street", style, set(REAL))
    assert not inside.exists()


def test_files_of_macos_and_separators_of_windows_do_not_count(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "coco")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, str(path.relative_to(folder)).replace("/", "\\"))
        archive.writestr("__MACOSX/._annotations.json", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"\0")
    with unpacked(tmp_path / "a.zip") as inside:
        assert len(load_dataset(inside).photos) == len(REAL)
        assert not list(inside.rglob("._*"))


def test_no_member_leads_out_of_the_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../escaped.txt", b"x")
        archive.writestr("..\\..\\escaped.txt", b"x")
        archive.writestr("/escaped.txt", b"x")
    with unpacked(tmp_path / "a.zip") as inside:
        assert [path.name for path in inside.rglob("*")] == ["escaped.txt"]


def truncated(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(bytes(data))


def encrypted(path: Path) -> None:
    path.write_bytes(
        path.read_bytes()
        .replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
        .replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        pytest.param(truncated, "it is damaged", id="damaged"),
        pytest.param(encrypted, "it is encrypted", id="encrypted"),
    ],
)
def test_a_zip_that_cannot_be_unpacked_is_said(break_it: Callable[[Path], None], sentence: str, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", write_coco(tmp_path / "coco")))
    break_it(path)
    with pytest.raises(DatasetError, match=sentence), unpacked(path):
        pass


def test_a_zip_larger_than_the_disk_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", write_coco(tmp_path / "coco")))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with (
        pytest.raises(DatasetError, match=r"unpacks to .* bytes, and .* has room for 1,000. Set TMPDIR"),
        unpacked(path),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content"),
    [("photo.jpg", b"\xff\xd8\xff" * 10**6), ("table.csv", b"a,b\n" * 10**6), ("lines.json", b'{"a":1}\n' * 10**5)],
)
def test_another_file_is_told_in_a_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match="is no annotation file of COCO: it is no") as refused:
        load_dataset(tmp_path / name)
    assert len(str(refused.value)) < 500


def test_what_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere does not exist. Give a folder"):
        load_dataset(tmp_path / "nowhere")
