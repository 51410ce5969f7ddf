"""Photos in an S3-compatible store and on a file system of fsspec: listed, read, and what is told when that fails."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest
from botocore.config import Config

from detection.bulk.files import BadPhotoError
from detection.bulk.sources import stores
from detection.bulk.sources.inputs import Inputs
from tests.support.object_store import BUCKET, ObjectStore, object_store

ROOT = f"s3://{BUCKET}"


@pytest.fixture(scope="module")
def running_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def bucket(running_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the store, for which the environment has the keys."""
    for name, value in running_store.environment.items():
        monkeypatch.setenv(name, value)
    stores._bucket.cache_clear()
    yield boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    stores._bucket.cache_clear()


def inputs(*paths: str) -> Inputs:
    return Inputs(paths, io.BytesIO(), 1000)


def read(found: Inputs) -> list[tuple[str, bytes | str]]:
    contents: list[tuple[str, bytes | str]] = []
    for photo in found.photos():
        try:
            contents.append((photo.name, photo.read()))
        except BadPhotoError as error:
            contents.append((photo.name, str(error)))
    return contents


def test_prefix_of_a_bucket_gives_all_photos_below_it(bucket: Any) -> None:
    for key in (
        "a/2.jpg",
        "a/b/1 \N{LATIN SMALL LETTER E WITH ACUTE}.PNG",
        "a/notes.txt",
        "a/.trash/x.jpg",
        "ab/3.jpg",
    ):
        bucket.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    found = inputs(f"{ROOT}/a")
    wanted = ["a/2.jpg", "a/b/1 \N{LATIN SMALL LETTER E WITH ACUTE}.PNG"]
    assert read(found) == [(f"{ROOT}/{key}", key.encode()) for key in wanted]
    assert sorted(found.skipped.names) == [f"{ROOT}/a/.trash/x.jpg", f"{ROOT}/a/notes.txt"]
    assert found.count() is None
    assert {f"{ROOT}/a/2.jpg", f"{ROOT}/ab/3.jpg"} <= {photo.name for photo in inputs(ROOT).photos()}


@pytest.mark.usefixtures("bucket")
def test_more_than_a_page_of_names_is_listed(running_store: ObjectStore) -> None:
    # It keeps an object as a file.
    folder = running_store.folder / BUCKET / "many"
    folder.mkdir()
    for number in range(1050):
        (folder / f"{number:04}.jpg").write_bytes(b"x")
    names = [photo.name for photo in inputs(f"{ROOT}/many/").photos()]
    assert names == [f"{ROOT}/many/{number:04}.jpg" for number in range(1050)]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        pytest.param("one/photo", b"photo", id="an object, whatever it is called"),
        pytest.param("one/gone.jpg", "There is no file or folder of this name.", id="none"),
        pytest.param("one/large.jpg", "The photo has more than 1,000 bytes. Raise MAX_BODY_BYTES", id="large"),
        pytest.param("one/p.zip", "Archives are read from files of this machine only.", id="archive"),
    ],
)
def test_object_that_is_named_is_taken_or_says_why_not(key: str, told: bytes | str, bucket: Any) -> None:
    for name, content in (("photo", b"photo"), ("large.jpg", bytes(1001)), ("p.zip", b"PK")):
        bucket.put_object(Bucket=BUCKET, Key=f"one/{name}", Body=content)
    ((name, found),) = read(inputs(f"{ROOT}/{key}"))
    assert name == f"{ROOT}/{key}"
    assert found == told if isinstance(told, bytes) else str(found).startswith(told)


def test_store_that_refuses_ends_the_run(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_object(Bucket=BUCKET, Key="kept/a.jpg", Body=b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    stores._bucket.cache_clear()
    with pytest.raises(OSError, match="cannot be listed"):
        list(inputs(f"{ROOT}/kept").photos())


def test_object_that_goes_before_its_turn_fails_alone(bucket: Any) -> None:
    bucket.put_object(Bucket=BUCKET, Key="goes/a.jpg", Body=b"x")
    (photo,) = inputs(f"{ROOT}/goes/").photos()
    bucket.delete_object(Bucket=BUCKET, Key="goes/a.jpg")
    with pytest.raises(BadPhotoError, match="There is no file"):
        photo.read()


def test_other_file_systems_are_those_of_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("/base/b.jpg", "/base/z/a.jpg", "/base/notes.txt"):
        memory.pipe(name, name.encode())
    found = inputs("memory://base")
    assert read(found) == [(f"memory://{name}", name.encode()) for name in ("/base/b.jpg", "/base/z/a.jpg")]
    assert found.skipped.names == ["memory:///base/notes.txt"]
    assert read(inputs("memory:///base/z/a.jpg"))[0][1] == b"/base/z/a.jpg"
    assert read(inputs("memory:///gone.jpg")) == [("memory:///gone.jpg", "There is no file or folder of this name.")]
    with pytest.raises(OSError, match="cannot be listed: Protocol not known"):
        list(inputs("nosuch://place").photos())


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(OSError, match=r"needs obstore: run pip install -r requirements-sources\.txt"):
        list(inputs("s3://bucket/a").photos())
