"""Finds files without rows and rows without files, as left by a kill at a bad moment, or by a person with `rm`.

A photo's file is written before its row is committed. A file without a row is therefore kept while it is young:
its upload may be in progress.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from detection.history import deletion
from detection.models import Photo
from detection.photos import store as photo_store

GRACE = timedelta(hours=1)
# A temporary file before its rename (`detection/photos/filesystem.py`).
_PART = ".part"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class LostFile:
    """File in the photo store that no row references."""

    name: str
    size_bytes: int


def files_without_rows(grace: timedelta = GRACE) -> Iterator[LostFile]:
    """Yield the files without a row that are older than `grace`, including partial files left by a kill."""
    before = timezone.now() - grace
    names: list[str] = []
    for name in _stored_files(""):
        names.append(name)
        if len(names) == _CHUNK:
            yield from _lost(names, before)
            names = []
    yield from _lost(names, before)


def remove(file: LostFile) -> None:
    """Remove a file, unless a row references it by now."""
    if file.name.endswith(_PART):
        photo_store.discard(file.name)
    else:
        photo_store.discard_unused(file.name)


def photos_without_files() -> Iterator[Photo]:
    """Yield the photos whose file is gone; their detections have no picture any more."""
    for photo in _all_photos():
        # A photo that is deleted meanwhile loses its row first.
        if not default_storage.exists(photo.file) and Photo.objects.filter(pk=photo.pk).exists():
            yield photo


def damaged_photos() -> Iterator[tuple[Photo, str]]:
    """Yield the photos whose file is missing or is not what was written, with which of both; reads every file."""
    for photo in _all_photos():
        if (damage := photo_store.damage(photo)) and Photo.objects.filter(pk=photo.pk).exists():
            yield photo, damage


def _all_photos() -> Iterator[Photo]:
    after = 0
    while chunk := list(Photo.objects.filter(pk__gt=after).order_by("pk")[:_CHUNK]):
        yield from chunk
        after = chunk[-1].pk


def forget(photo: Photo) -> None:
    """Delete a photo with its detections. Raises StorageUnavailableError."""
    for detection in photo.detections.all():
        deletion.delete_detection(detection)


def _lost(names: list[str], before: datetime) -> Iterator[LostFile]:
    known = set(Photo.objects.filter(file__in=names).values_list("file", flat=True))
    for name in names:
        if name in known:
            continue
        try:
            if default_storage.get_modified_time(name) < before:
                yield LostFile(name, default_storage.size(name))
        except FileNotFoundError:
            continue


def _stored_files(folder: str) -> Iterator[str]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (f"{prefix}{name}" for name in sorted(names))
    for name in sorted(folders):
        yield from _stored_files(f"{prefix}{name}")
