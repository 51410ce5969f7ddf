"""`manage.py redetect`: another model over the history; each photo once, also when it is killed in the middle."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from detection.bulk import redetect as bulk_redetect
from detection.history import deletion
from detection.inference.photos.decode import read_info
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from detection.predict import service as predict_service
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model
from tests.support import photos
from tests.support.builders import stored_detection
from tests.support.serving import server_environment

pytestmark = pytest.mark.django_db(transaction=True)
REPOSITORY = Path(__file__).resolve().parents[2]
# A campaign takes more: REDETECT_PHOTOS=2000 REDETECT_KILLS=20
PHOTOS, KILLS = int(os.environ.get("REDETECT_PHOTOS", "200")), int(os.environ.get("REDETECT_KILLS", "2"))


@pytest.fixture(autouse=True)
def dark_and_light(limits: Any, tmp_path: Path) -> Iterator[None]:
    """Two models that answer at once, in a DATA_DIR of the test; the photo store stays that of all tests."""
    for name in ("dark", "light"):
        write_model(tmp_path / "models" / name, constant_network(nanodet_outputs(int(name == "light"))))
    limits(data_dir=tmp_path)
    yield
    predict_service.stop()


def stored(number: int, *objects: tuple[str, float], **fields: Any) -> Detection:
    """A detection in the history with the file of its photo."""
    data = photos.encode(photos.noise((48, 32), number))
    detection = stored_detection(*(objects or (("cat", 0.9),)), original_name=f"{number}.jpg", **fields)
    file = photo_store.save(data, read_info(data, max_pixels=10**6))
    Photo.objects.filter(pk=detection.photo_id).update(file=file.file, sha256=file.sha256)
    return detection


def redetect(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    code = 0
    try:
        call_command("redetect", *arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, capsys.readouterr().err


def made_by(name: str) -> list[int]:
    """The photos that a model has looked at."""
    return sorted(Detection.objects.filter(model_name=name).values_list("photo_id", flat=True))


def test_every_photo_gets_one_more_detection_and_keeps_the_old_one(capsys: Any) -> None:
    owner = User.objects.create_user("anna")
    old = [stored(number, owner=owner) for number in range(3)]
    code, said = redetect(capsys, "light")
    assert (code, "3 photos answered, 0 failed" in said) == (0, True)
    assert made_by("light") == [detection.photo_id for detection in old]
    assert Photo.objects.count() == 3
    for detection in old:
        fresh = detection.photo.detections.get(model_name="light")
        assert (fresh.source, fresh.owner, fresh.model_version) == ("redetect", owner, "1.0")
        assert [found.class_name for found in fresh.objects_found.all()] == ["light"]
        assert Detection.objects.filter(pk=detection.pk).exists()


def test_what_is_done_is_not_done_again_but_by_another_model(capsys: Any) -> None:
    for number in range(2):
        stored(number)
    redetect(capsys, "light")
    code, said = redetect(capsys, "light")
    assert (code, "2 photos answered, 0 failed; 0 of them in this run" in said) == (0, True)
    assert len(made_by("light")) == 2
    redetect(capsys, "dark", "--threshold", "0.99")
    assert len(made_by("dark")) == 2
    assert set(Detection.objects.filter(model_name="dark").values_list("reported_count", flat=True)) == {0}


def test_other_tiles_are_another_detection(capsys: Any) -> None:
    stored(0)
    for arguments in ([], ["--tiles", "3"], ["--tiles", "3"], ["--tiles", "1"]):
        assert redetect(capsys, "light", *arguments)[0] == 0
    rows = Detection.objects.filter(model_name="light").order_by("pk")
    assert list(rows.values_list("tiles", "tile_grid")) == [("1", ""), ("3", "3x3")]


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        pytest.param(["--class", "dog"], [1], id="class"),
        pytest.param(["--source", "page"], [2], id="source"),
        pytest.param(["--model", "old@3"], [3], id="model and version"),
        pytest.param(["--model", "old"], [2, 3], id="model"),
        pytest.param(["--date-to", "2020-01-01"], [], id="date"),
    ],
)
def test_filters_choose_photos(arguments: list[str], chosen: list[int], capsys: Any) -> None:
    stored(0)
    rows = {
        1: stored(1, ("dog", 0.8)),
        2: stored(2, source="page", model_name="old", model_version="2"),
        3: stored(3, model_name="old", model_version="3"),
    }
    code, _ = redetect(capsys, "light", *arguments)
    assert made_by("light") == [rows[number].photo_id for number in chosen]
    assert code == (0 if chosen else 1)


def test_photos_without_a_usable_file_are_named_and_tried_again(capsys: Any) -> None:
    good, missing, damaged = (stored(number) for number in range(3))
    photo_store.discard(Photo.objects.get(pk=missing.photo_id).file)
    path = default_storage.path(Photo.objects.get(pk=damaged.photo_id).file)
    Path(path).write_bytes(b"no photo")
    for _ in range(2):
        code, said = redetect(capsys, "light")
        assert code == 3
        assert "1.jpg" in said
        assert "The file is missing" in said
        assert "2.jpg" in said
        assert "cannot be read" in said
        assert made_by("light") == [good.photo_id]


def test_a_photo_that_was_deleted_meanwhile_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    detection = stored(0)
    detect = bulk_redetect._detect

    def detect_and_delete(photo: Photo, **keywords: Any) -> bulk_redetect.Found:
        found = detect(photo, **keywords)
        deletion.delete_detection(Detection.objects.get(pk=detection.pk))
        connection.close()  # this thread's own
        return found

    monkeypatch.setattr(bulk_redetect, "_detect", detect_and_delete)
    code, said = redetect(capsys, "light")
    assert (code, "deleted meanwhile" in said) == (1, True)
    assert Detection.objects.count() == 0


def test_what_cannot_begin_is_said_in_a_sentence() -> None:
    with pytest.raises(CommandError, match=r"no model resnet\. Use one of"):
        call_command("redetect", "resnet")
    with pytest.raises(CommandError, match="--date-from: Enter a valid date"):
        call_command("redetect", "light", "--date-from", "yesterday")


def rows_of(data_dir: Path, model: str) -> list[int]:
    """The photos of a model's detections in another process's database."""
    database = sqlite3.connect(data_dir / "detector.sqlite3", timeout=60)
    try:
        asked = database.execute("SELECT photo_id FROM detection_detection WHERE model_name = ?", [model])
        return sorted(photo for (photo,) in asked.fetchall())
    finally:
        database.close()


def test_killed_in_the_middle_each_photo_is_done_once(tmp_path: Path) -> None:
    """The command runs in another process, and dies as often as is asked for."""
    data_dir, base = tmp_path, tmp_path / "base"
    settings = {"DATA_DIR": str(data_dir), "MODEL_PREFIX": str(tmp_path / "models" / "dark")}

    def open_run(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "manage.py"), *arguments],
            env=server_environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    base.mkdir()
    for number in range(PHOTOS):
        (base / f"{number}.jpg").write_bytes(photos.encode(photos.noise((48, 32), number)))
    recording = open_run("detect", str(base), "--record", "--output", str(tmp_path / "lines.jsonl"))
    said, _ = recording.communicate()
    assert recording.returncode == 0, said
    for kill in range(1, KILLS + 1):
        process = open_run("redetect", "light")
        while len(rows_of(data_dir, "light")) < kill * PHOTOS // (KILLS + 2):
            assert process.poll() is None, process.communicate()[0]
        process.kill()
        process.communicate()
        done = rows_of(data_dir, "light")
        assert len(done) == len(set(done)) < PHOTOS
    last = open_run("redetect", "light")
    said, _ = last.communicate()
    assert (last.returncode, f"{PHOTOS:,} photos answered, 0 failed" in said) == (0, True)
    assert rows_of(data_dir, "light") == rows_of(data_dir, "dark")
    assert len(set(rows_of(data_dir, "light"))) == PHOTOS


def test_a_signal_stops_it_and_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for number in range(30):
        stored(number)
    keep = bulk_redetect._keep

    def keep_and_signal(found: bulk_redetect.Found) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.setattr(bulk_redetect, "_keep", keep)
        return keep(found)

    monkeypatch.setattr(bulk_redetect, "_keep", keep_and_signal)
    code, said = redetect(capsys, "light")
    assert (code, "Stopped." in said) == (130, True)
    assert 0 < len(made_by("light")) < 30
    assert redetect(capsys, "light")[0] == 0
    assert len(made_by("light")) == 30
