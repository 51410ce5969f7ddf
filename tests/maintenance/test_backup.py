"""A backup brings everything back, a damaged one changes nothing."""

import io
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from detection.conf import Config
from detection.maintenance import backup
from detection.maintenance.backup import BackupError, back_up, restore
from detection.models import DetectedObject, Detection, Photo
from detection.photos import store as photo_store
from tests.support.builders import stored_rows
from tests.support.kept import has_file, keep

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="needs SQLite: PostgreSQL is backed up with pg_dump"),
]
Members = list[tuple[str, bytes]]


@pytest.fixture(autouse=True)
def data_dir(config: Config) -> Path:
    config.data_dir.mkdir(exist_ok=True)
    return config.data_dir


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A backup of two detections, which are gone now."""
    keep(2, 1)
    target = tmp_path / "backup.tar"
    back_up(target)
    forget_everything()
    return target


def forget_everything() -> None:
    Photo.objects.all().delete()
    shutil.rmtree(default_storage.path(""), ignore_errors=True)


def everything() -> list[dict[str, Any]]:
    """All rows, and the bytes of all photos."""
    rows: list[dict[str, Any]] = []
    for table in (Photo, Detection, DetectedObject):
        rows.extend(dict(row) for row in table.objects.order_by("pk").values())
    return [*rows, *({"photo": photo_store.read(photo)} for photo in Photo.objects.order_by("pk"))]


def members(path: Path) -> Members:
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def write(path: Path, changed: Members) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in changed:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    keep(3, 2, 1)
    before = everything()
    call_command("backup", str(tmp_path / "backup.tar"))
    forget_everything()
    call_command("restore", str(tmp_path / "backup.tar"))
    assert everything() == before
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert cursor.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_commands_say_what_they_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(2, 1, contents=[0, 0])
    target = tmp_path / "backup.tar"
    call_command("backup", str(target))
    call_command("restore", str(target), "--replace")
    assert capsys.readouterr().out.splitlines() == [
        f"{target}: 2 detections, 1 photos.",
        "Restored 2 detections and 1 photos.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["backup.tar"]


def test_lost_photo_is_named_and_the_others_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost, _ = keep(2, 1)
    default_storage.delete(lost.photo.file)
    call_command("backup", str(tmp_path / "backup.tar"))
    assert f"{lost.photo.file}: missing or damaged, and not in the backup" in capsys.readouterr().err
    forget_everything()
    call_command("restore", str(tmp_path / "backup.tar"))
    assert "1 photos were missing when the backup was made." in capsys.readouterr().out
    assert [has_file(one) for one in Detection.objects.select_related("photo").order_by("pk")] == [False, True]


@pytest.mark.parametrize("harm", [lambda data: b"", lambda data: data[:-9], lambda data: bytes(len(data))])
def test_damaged_photo_is_named_and_not_in_the_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[bytes], bytes]
) -> None:
    harmed, whole = keep(2, 1)
    file = Path(default_storage.path(harmed.photo.file))
    file.write_bytes(harm(file.read_bytes()))
    call_command("backup", str(tmp_path / "backup.tar"))
    assert f"{harmed.photo.file}: missing or damaged" in capsys.readouterr().err
    with tarfile.open(tmp_path / "backup.tar") as archive:
        assert [name for name in archive.getnames() if name.startswith("photos/")] == [f"photos/{whole.photo.file}"]


def test_restore_writes_a_damaged_photo_again(tmp_path: Path) -> None:
    (harmed,) = keep(1)
    call_command("backup", str(tmp_path / "backup.tar"))
    file = Path(default_storage.path(harmed.photo.file))
    whole = file.read_bytes()
    file.write_bytes(b"")
    restore(tmp_path / "backup.tar", replace=True)
    assert file.read_bytes() == whole


def test_backup_is_its_owners_alone(tmp_path: Path) -> None:
    keep(1)
    back_up(tmp_path / "backup.tar")
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600


def test_backup_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    keep(1)
    copy = backup._copy_database

    def copy_then_record(live: sqlite3.Connection, snapshot: Path) -> None:
        copy(live, snapshot)
        keep(1, contents=[9])

    with mock.patch.object(backup, "_copy_database", copy_then_record):
        assert back_up(tmp_path / "backup.tar").detections == 1
    forget_everything()
    assert restore(tmp_path / "backup.tar").detections == 1
    assert stored_rows()[:2] == (1, 1)


def test_detections_that_are_there_are_not_replaced_unasked(made: Path) -> None:
    (new,) = keep(1, contents=[9])
    with pytest.raises(CommandError, match="The database has detections, which would be lost"):
        call_command("restore", str(made))
    assert Detection.objects.get().pk == new.pk
    call_command("restore", str(made), "--replace")
    assert Detection.objects.count() == 2
    assert not Detection.objects.filter(uuid=new.uuid).exists()


def test_existing_file_is_not_overwritten(made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(CommandError, match="is there already"):
        call_command("backup", str(made))
    assert made.read_bytes() == before


def test_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    keep(1)
    with (
        mock.patch.object(backup, "_add", side_effect=OSError(28, "No space left on device")),
        pytest.raises(CommandError, match="No space left on device"),
    ):
        call_command("backup", str(tmp_path / "backup.tar"))
    assert list(tmp_path.iterdir()) == []


def without(name: str) -> Callable[[Members], Members]:
    return lambda found: [member for member in found if not member[0].startswith(name)]


def with_photo_called(name: str) -> Callable[[Members], Members]:
    return lambda found: [*found[:2], (name, b"evil"), *found[2:]]


def replaced(name: str, data: bytes) -> Callable[[Members], Members]:
    return lambda found: [(one, data if one == name else content) for one, content in found]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(without("backup.json"), "backup.json is missing", id="no manifest"),
        pytest.param(without("detector.sqlite3"), "detector.sqlite3 is missing", id="no database"),
        pytest.param(without("photos/"), "it has 0 photos, not 2", id="no photos"),
        pytest.param(without("missing.json"), "its end is missing", id="cut between two members"),
        pytest.param(lambda _: [], "backup.json is missing", id="empty"),
        pytest.param(replaced("backup.json", b'{"version": 2}'), "its version is 2", id="another version"),
        pytest.param(replaced("backup.json", b"{"), "Expecting property name", id="no JSON"),
        pytest.param(replaced("detector.sqlite3", b"no database" * 100), "file is not a database", id="no SQLite"),
        pytest.param(with_photo_called("photos/../../evil.jpg"), "no name of a photo", id="path that leads out"),
        pytest.param(with_photo_called("photos//etc/evil.jpg"), "no name of a photo", id="path from the root"),
        pytest.param(with_photo_called("photos/ab/evil.sh"), "no name of a photo", id="no photo"),
    ],
)
def test_foreign_or_damaged_backup_changes_no_row(change: Callable[[Members], Members], said: str, made: Path) -> None:
    (kept,) = keep(1, contents=[9])
    write(made, change(members(made)))
    with pytest.raises(BackupError, match=said) as refused:
        restore(made, replace=True)
    assert str(refused.value).endswith("Nothing was changed.")
    assert Detection.objects.get().pk == kept.pk


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.9], ids=["a fifth", "more than half", "most"])
def test_backup_that_was_cut_off_changes_no_row(kept: float, made: Path) -> None:
    data = made.read_bytes()
    made.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BackupError, match="is damaged"):
        restore(made)
    assert stored_rows() == (0, 0, 0)


def test_link_in_a_backup_is_refused(made: Path) -> None:
    with tarfile.open(made, "w") as archive:
        link = tarfile.TarInfo("backup.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(BackupError, match=r"backup\.json is no file"):
        restore(made)


def test_backup_of_a_newer_version_is_refused(made: Path, tmp_path: Path) -> None:
    found = dict(members(made))
    newer = tmp_path / "newer.sqlite3"
    newer.write_bytes(found["detector.sqlite3"])
    database = sqlite3.connect(newer)
    database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('detection', '9999_future', 'now')")
    database.commit()
    database.close()
    write(made, [*{**found, "detector.sqlite3": newer.read_bytes()}.items()])
    with pytest.raises(BackupError, match="made by a newer version of this program, which has 9999_future"):
        restore(made)


def test_damaged_database_in_a_backup_is_refused(made: Path) -> None:
    found = dict(members(made))
    data = bytearray(found["detector.sqlite3"])
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    write(made, [*{**found, "detector.sqlite3": bytes(data)}.items()])
    with pytest.raises(BackupError, match="Nothing was changed"):
        restore(made)
    assert stored_rows() == (0, 0, 0)


def test_backup_waits_for_no_deletion_that_runs(tmp_path: Path) -> None:
    with mock.patch("detection.management.commands.backup.bulk_deletion_lock") as lock:
        lock.return_value.__enter__.return_value = False
        with pytest.raises(CommandError, match="Another process is deleting detections"):
            call_command("backup", str(tmp_path / "backup.tar"))


def test_postgresql_is_told_of_its_own_means(tmp_path: Path) -> None:
    with (
        mock.patch.object(connection, "vendor", "postgresql"),
        pytest.raises(BackupError, match="use pg_dump and pg_restore"),
    ):
        back_up(tmp_path / "backup.tar")
