"""Power failures: of what was answered, the disk has every byte; what it lost otherwise is found and healed.

The simulated disk keeps what was flushed: of a file its bytes at the last fsync, of a folder the names at the last
fsync. Everything else is gone after the failure, as a journaling file system may leave it: a name without its bytes is
an empty file.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.conf import current
from detection.history.recorder import Recorder
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from tests.support import photos
from tests.support.records import record

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 24


class Disk:
    """Bytes and names that were flushed, by path; `fail` leaves only these."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._bytes: dict[Path, bytes] = {}
        self._names: dict[Path, set[str]] = {}
        self._lock = threading.Lock()

    def flushed(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        with self._lock:
            if path.is_dir():
                self._names[path] = {entry.name for entry in path.iterdir()}
            elif path.exists():
                self._bytes[path] = path.read_bytes()

    def has(self, path: Path) -> bool:
        """Whether a power failure now would leave the whole file under its name."""
        path = path.resolve()
        with self._lock:
            is_named = path.name in self._names.get(path.parent, ())
            is_reached = path.parent.name in self._names.get(path.parent.parent, ())
            return is_named and is_reached and self._bytes.get(path) == path.read_bytes()

    def fail(self) -> None:
        for path in [path for path in self._root.rglob("*") if path.is_file()]:
            if path.name in self._names.get(path.parent, ()):
                path.write_bytes(self._bytes.get(path, b""))
            else:
                path.unlink()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(Path(default_storage.path("")))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        disk.flushed(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return disk


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    running = Recorder()
    yield running
    running.close()


def different(number: int) -> bytes:
    return photos.encode(photos.noise((40 + number, 32)))


def file_of(detection: UUID) -> Path:
    return Path(default_storage.path(Detection.objects.select_related("photo").get(uuid=detection).photo.file))


def test_what_was_answered_survives_a_failure_at_any_moment(disk: Disk, recorder: Recorder) -> None:
    answered = [recorder.submit(record(different(number))) for number in range(COUNT)]
    for future in answered:
        assert disk.has(file_of(future.result(60)))
    disk.fail()
    call_command("prune", "--check")
    assert Photo.objects.count() == COUNT


def test_losses_without_durability_are_found_and_healed(
    disk: Disk, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(current.config(), durable=False)
    monkeypatch.setattr(current, "config", lambda: config)
    kept = [recorder.submit(record(different(number))).result(60) for number in range(4)]
    files = [file_of(detection) for detection in kept]
    # The folders' names reached the disk by themselves, the bytes of the files did not.
    for folder in {file.parent for file in files}:
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    disk.fail()
    assert {file.read_bytes() for file in files} == {b""}
    with pytest.raises(CommandError, match="4 photos are damaged or missing"):
        call_command("prune", "--check")
    for photo in Photo.objects.all():
        with pytest.raises(FileNotFoundError):
            photo_store.read(photo)
    for number in range(4):
        recorder.submit(record(different(number))).result(60)
    capsys.readouterr()
    call_command("prune", "--check")
    assert Photo.objects.count() == 8
