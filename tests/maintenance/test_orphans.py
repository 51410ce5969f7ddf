"""Files without rows and rows without files: found, told, and removed when nothing can need them any more."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.inference.photos.decode import read_info
from detection.maintenance import orphans
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from tests.support import photos
from tests.support.builders import stored_rows
from tests.support.kept import has_file, keep

pytestmark = pytest.mark.django_db(transaction=True)
DAY_S = 24 * 3600


def stored(name: str, age_s: float = DAY_S, content: bytes = b"content") -> str:
    """A file in the store that was written some time ago."""
    default_storage.save(name, ContentFile(content))
    aged(name, age_s)
    return name


def aged(name: str, age_s: float) -> None:
    then = time.time() - age_s
    os.utime(default_storage.path(name), (then, then))


def lost(**options: Any) -> list[str]:
    return [file.name for file in orphans.files_without_rows(**options)]


def test_old_file_without_a_row_is_found_and_files_with_rows_are_not() -> None:
    (kept,) = keep(1)
    aged(kept.photo.file, DAY_S)
    stored("ab/lost.jpg")
    assert list(orphans.files_without_rows()) == [orphans.LostFile("ab/lost.jpg", 7)]


def test_empty_store_has_no_orphans() -> None:
    assert lost() == []


def test_young_file_is_left_alone_for_its_upload_may_be_on_the_way() -> None:
    stored("ab/young.jpg", age_s=60)
    assert lost() == []
    assert lost(grace=timedelta(seconds=30)) == ["ab/young.jpg"]


def test_half_a_file_that_a_kill_left_is_removed() -> None:
    name = stored("ab/photo.jpg.1234.part")
    (found,) = orphans.files_without_rows()
    orphans.remove(found)
    assert not default_storage.exists(name)


def test_many_files_are_looked_up_in_few_queries(django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        stored(f"ab/{number:02}.jpg")
    with mock.patch.object(orphans, "_CHUNK", 10), django_assert_max_num_queries(4):
        assert len(lost()) == 30


def test_file_that_goes_meanwhile_is_no_error() -> None:
    stored("ab/gone.jpg")
    with mock.patch.object(
        default_storage._wrapped,  # type: ignore[attr-defined]
        "get_modified_time",
        side_effect=FileNotFoundError,
    ):
        assert lost() == []


def test_file_that_gets_its_row_before_it_is_removed_stays() -> None:
    (kept,) = keep(1)
    orphans.remove(orphans.LostFile(kept.photo.file, 1))
    assert has_file(kept)


def test_upload_of_an_old_orphan_keeps_its_file() -> None:
    """The file was there when the upload looked, and goes before its row is committed: the recorder looks again."""
    data = photos.encode(photos.noise((16, 16), 0))
    info = read_info(data, max_pixels=10**6)
    name = photo_store.save(data, info).file
    aged(name, DAY_S)
    again = photo_store.save(data, info)
    (found,) = orphans.files_without_rows()
    orphans.remove(found)
    assert not default_storage.exists(name)
    photo_store.ensure(again, data, info)
    assert default_storage.exists(name)


def test_rows_without_files_are_found() -> None:
    gone, kept = keep(2, 1)
    default_storage.delete(gone.photo.file)
    assert [photo.pk for photo in orphans.photos_without_files()] == [gone.photo.pk]
    assert has_file(kept)


def test_photo_that_is_deleted_meanwhile_is_not_reported() -> None:
    (gone,) = keep(1)
    default_storage.delete(gone.photo.file)

    def exists(_: str) -> bool:
        gone.photo.delete()
        return False

    with mock.patch.object(default_storage._wrapped, "exists", exists):  # type: ignore[attr-defined]
        assert list(orphans.photos_without_files()) == []


def prune(*arguments: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    call_command("prune", *arguments)
    return str(capsys.readouterr().out).splitlines()


def test_command_removes_files_and_reports_rows(capsys: pytest.CaptureFixture[str], stored_files: Any) -> None:
    gone, kept = keep(2, 1)
    default_storage.delete(gone.photo.file)
    stored("ab/lost.jpg")
    stored("ab/young.jpg", age_s=60)
    assert prune("--orphans", capsys=capsys) == [
        "ab/lost.jpg: a file without a row",
        "Deleted 1 files without rows (7 bytes).",
        f"{gone.photo.file}: a row without a file (cat.jpg)",
        "1 photos have lost their file. Bring it back from a backup, or use --forget-missing.",
    ]
    assert sorted(stored_files()) == sorted([kept.photo.file, "ab/young.jpg"])
    assert Detection.objects.count() == 2


def test_command_forgets_rows_without_files_when_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    gone, kept = keep(2, 1)
    default_storage.delete(gone.photo.file)
    assert prune("--forget-missing", capsys=capsys)[-1] == "Forgot 1 photos whose file is gone."
    assert Detection.objects.get().pk == kept.pk
    assert stored_rows()[0] == 1
    assert prune("--orphans", capsys=capsys)[-1] == "Every photo has its file."


def test_dry_run_touches_nothing(capsys: pytest.CaptureFixture[str], stored_files: Any) -> None:
    (gone,) = keep(1)
    default_storage.delete(gone.photo.file)
    stored("ab/lost.jpg")
    said = prune("--orphans", "--forget-missing", "--dry-run", capsys=capsys)
    assert "Would delete 1 files without rows (7 bytes)." in said
    assert stored_files() == ["ab/lost.jpg"]
    assert Detection.objects.count() == 1


def test_grace_is_chosen_by_the_operator(capsys: pytest.CaptureFixture[str], stored_files: Any) -> None:
    stored("ab/young.jpg", age_s=60)
    assert prune("--orphans", "--grace", "0h", capsys=capsys)[0] == "ab/young.jpg: a file without a row"
    assert [name for name in stored_files() if Path(name).name == "young.jpg"] == []


def test_check_names_damaged_files_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    emptied, zeroed, gone, _whole = keep(4, 1, 2, 3)
    for detection, content in ((emptied, b""), (zeroed, bytes(zeroed.photo.stored_bytes or 0))):
        Path(default_storage.path(detection.photo.file)).write_bytes(content)
    default_storage.delete(gone.photo.file)
    with pytest.raises(CommandError, match="3 photos are damaged or missing"):
        call_command("prune", "--check")
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(
        f"{detection.photo.file}: {damage} (cat.jpg)"
        for detection, damage in ((emptied, "damaged"), (zeroed, "damaged"), (gone, "missing"))
    )


def test_check_of_whole_files_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    keep(1)
    assert prune("--check", capsys=capsys) == ["Every photo's file is whole."]


def test_check_of_rows_of_an_older_version_decodes_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    (old,) = keep(1)
    Photo.objects.update(stored_bytes=None, stored_sha256=None)
    assert prune("--check", capsys=capsys) == ["Every photo's file is whole."]
    Path(default_storage.path(old.photo.file)).write_bytes(b"")
    with pytest.raises(CommandError, match="1 photos"):
        call_command("prune", "--check")
