"""Backup of the whole history in one tar file, and its restoration: a snapshot of the database, and every photo in it.

For SQLite. PostgreSQL has better means of its own (docs/operations.md). A server may run meanwhile: SQLite's backup is
a snapshot, and photos never change.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from detection.models import Detection
from detection.photos import store as photo_store
from detection.web.serializers import to_json

_VERSION = 1
_MANIFEST, _DATABASE, _PHOTOS = "backup.json", "detector.sqlite3", "photos/"
# File names of `photos/store.py`; nothing else is ever written.
_PHOTO_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.(jpg|png|webp)")
_MAX_MANIFEST_BYTES = 1 << 20
_NOT_OURS = "{} is no backup of this program, or is damaged: {}. Nothing was changed."


class BackupError(Exception):
    """A backup cannot be made or restored; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Counts of a backup: detections, photo files, and files that were missing when it was made."""

    detections: int
    photos: int
    missing: tuple[str, ...] = ()


def back_up(target: Path) -> Contents:
    """Write a backup atomically. Raises BackupError and OSError."""
    _require_sqlite()
    if target.exists():
        raise BackupError(f"{target} is there already. Remove it, or name another file.")
    temporary = target.with_name(f"{target.name}.part")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        snapshot = Path(folder, _DATABASE)
        _copy_database(_live(), snapshot)
        try:
            with _private(temporary) as file, tarfile.open(fileobj=file, mode="w") as archive:
                contents = _write(archive, snapshot)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return contents


def restore(source: Path, *, replace: bool = False) -> Contents:
    """Restore a backup: first its photos, then its database, which replaces the present one atomically.

    replace: also when the database has detections. Raises BackupError, with the database unchanged; and OSError.
    """
    _require_sqlite()
    call_command("migrate", interactive=False, verbosity=0)
    if not replace and Detection.objects.exists():
        raise BackupError("The database has detections, which would be lost. Back them up, then use --replace.")
    try:
        with tempfile.TemporaryDirectory() as folder, tarfile.open(source) as archive:
            snapshot = Path(folder, _DATABASE)
            contents = _read(archive, snapshot)
            _check_database(snapshot)
            with contextlib.closing(sqlite3.connect(snapshot)) as restored:
                restored.backup(_live())
    except (tarfile.TarError, sqlite3.DatabaseError, ValueError, KeyError, EOFError) as error:
        raise BackupError(_NOT_OURS.format(source, error)) from error
    connection.close()
    call_command("migrate", interactive=False, verbosity=0)
    return contents


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read: a backup has everybody's photos and the hashes of passwords."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _require_sqlite() -> None:
    if connection.vendor != "sqlite":
        raise BackupError(
            "This command is for SQLite. The database is PostgreSQL: use pg_dump and pg_restore, and copy the folder "
            "of photos after the dump; docs/operations.md has the steps."
        )


def _live() -> sqlite3.Connection:
    connection.ensure_connection()
    live: sqlite3.Connection = connection.connection
    return live


def _copy_database(live: sqlite3.Connection, snapshot: Path) -> None:
    """Copy the database with SQLite's online backup: a snapshot, also during writes."""
    with contextlib.closing(sqlite3.connect(snapshot)) as copy:
        live.backup(copy)
        # A single file without a journal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def _write(archive: tarfile.TarFile, snapshot: Path) -> Contents:
    with contextlib.closing(sqlite3.connect(snapshot)) as copy:
        (detections,) = copy.execute("SELECT count(*) FROM detection_detection").fetchone()
        (photos,) = copy.execute("SELECT count(DISTINCT file) FROM detection_photo").fetchone()
        manifest = {
            "version": _VERSION,
            "made_at": timezone.now().isoformat(),
            "detections": detections,
            "photos": photos,
        }
        _add(archive, _MANIFEST, io.BytesIO(to_json(manifest)), len(to_json(manifest)))
        with snapshot.open("rb") as file:
            _add(archive, _DATABASE, file, snapshot.stat().st_size)
        missing = []
        for name, size_bytes, sha256 in _photo_rows(copy):
            content = _photo(name, size_bytes, sha256)
            if content is None:
                missing.append(name)
            else:
                _add(archive, _PHOTOS + name, io.BytesIO(content), len(content))
    _add(archive, "missing.json", io.BytesIO(to_json({"missing": missing})), len(to_json({"missing": missing})))
    return Contents(detections, photos - len(missing), tuple(missing))


def _photo_rows(copy: sqlite3.Connection) -> Iterator[tuple[str, int | None, str | None]]:
    """Yield file, size and hash of each photo. A database that is not migrated yet has no sizes and hashes."""
    columns = {row[1] for row in copy.execute("PRAGMA table_info(detection_photo)")}
    known = "max(stored_bytes), max(stored_sha256)" if "stored_sha256" in columns else "NULL, NULL"
    yield from copy.execute(f"SELECT file, {known} FROM detection_photo GROUP BY file ORDER BY file")  # noqa: S608


def _photo(name: str, size_bytes: int | None, sha256: str | None) -> bytes | None:
    """Return the bytes of a photo's file; None where it is gone, or is not what its row describes."""
    content = photo_store.content_of(name)
    if not content or (size_bytes is not None and len(content) != size_bytes):
        return None
    return content if sha256 is None or hashlib.sha256(content).hexdigest() == sha256 else None


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size_bytes: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    info.mtime = int(timezone.now().timestamp())
    info.mode = 0o640
    archive.addfile(info, content)


def _read(archive: tarfile.TarFile, snapshot: Path) -> Contents:
    """Write photos to the store and the database to `snapshot`. The last member proves that the file is complete."""
    members = _members(archive)
    manifest = json.loads(_expected(archive, members, _MANIFEST).read(_MAX_MANIFEST_BYTES))
    if manifest["version"] != _VERSION:
        raise ValueError(f"its version is {manifest['version']}, and {_VERSION} is known")
    with snapshot.open("wb") as file:
        _copy(_expected(archive, members, _DATABASE), file)
    photos = 0
    for member in members:
        if not member.name.startswith(_PHOTOS):
            missing = json.loads(_content(archive, member).read())["missing"]
            break
        _store(member.name.removeprefix(_PHOTOS), _content(archive, member))
        photos += 1
    else:
        raise ValueError("its end is missing")
    if photos + len(missing) != manifest["photos"]:
        raise ValueError(f"it has {photos} photos, not {manifest['photos']}")
    return Contents(manifest["detections"], photos, tuple(missing))


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        yield member


def _expected(archive: tarfile.TarFile, members: Iterator[tarfile.TarInfo], name: str) -> IO[bytes]:
    member = next(members, None)
    if member is None or member.name != name:
        raise ValueError(f"{name} is missing")
    return _content(archive, member)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        raise ValueError(f"{member.name} is no file")
    return content


def _copy(content: IO[bytes], file: IO[bytes]) -> None:
    while block := content.read(1 << 20):
        file.write(block)


def _store(name: str, content: IO[bytes]) -> None:
    """Store a photo unless it exists, whole: its name identifies its content."""
    if _PHOTO_NAME.fullmatch(name) is None:
        raise ValueError(f"{name} is no name of a photo")
    data = content.read()
    if photo_store.content_of(name) != data:
        default_storage.save(name, ContentFile(data))


def _check_database(snapshot: Path) -> None:
    with contextlib.closing(sqlite3.connect(snapshot)) as copy:
        (state,) = copy.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            raise ValueError(f"its database is damaged ({state})")
        theirs = set(copy.execute("SELECT app, name FROM django_migrations").fetchall())
    newer = theirs - set(MigrationRecorder(connection).applied_migrations())
    if newer:
        raise ValueError(f"it was made by a newer version of this program, which has {sorted(newer)[-1][1]}")
