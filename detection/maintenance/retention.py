"""Retention of detections: by age, by number, by disk space used and left. The oldest go first."""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from detection.conf import Config
from detection.history import indexing
from detection.models import Detection, Photo
from detection.photos import store as photo_store

# One transaction each: short enough not to delay the recording of detections.
BATCH = 200


class RetentionError(Exception):
    """The limits cannot be reached by deleting detections; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of retention; None: unlimited.

    max_age: of a detection. keep: how many detections. max_bytes: of all stored files.
    min_free_bytes: on the disk of DATA_DIR.
    """

    max_age: timedelta | None = None
    keep: int | None = None
    max_bytes: int | None = None
    min_free_bytes: int | None = None

    @classmethod
    def of(cls, config: Config) -> "Rules":
        """Return the rules that an operator has set for the running server; 0 is none."""
        return cls(
            max_age=timedelta(days=config.retention.days) if config.retention.days else None,
            keep=config.retention.count or None,
            min_free_bytes=config.retention.min_free_bytes or None,
        )

    @property
    def is_empty(self) -> bool:
        """True if there are no limits."""
        return self == Rules()


@dataclass(slots=True)
class Pruned:
    """Counts of deleted detections, photo files and their bytes."""

    detections: int = 0
    files: int = 0
    bytes: int = 0

    def add(self, other: "Pruned") -> None:
        self.detections += other.detections
        self.files += other.files
        self.bytes += other.bytes


@dataclass(frozen=True, slots=True)
class _Old:
    """Fields of one detection that retention needs."""

    pk: int
    created_at: datetime
    photo_id: int
    size_bytes: int


@dataclass(slots=True)
class _Excess:
    """Remaining excess: detections before a time, a number of detections, a number of bytes."""

    before: datetime | None
    detections: int
    bytes: int
    _photos: set[int] = field(default_factory=set)

    def take(self, old: _Old) -> bool:
        """Return whether this detection has to be deleted, and count it as deleted."""
        is_too_old = self.before is not None and old.created_at < self.before
        if not (is_too_old or self.detections > 0 or self.bytes > 0):
            return False
        self.detections -= 1
        if old.photo_id not in self._photos:
            self._photos.add(old.photo_id)
            self.bytes -= old.size_bytes
        return True


def prune(
    rules: Rules, data_dir: Path, *, dry_run: bool = False, is_stopped: Callable[[], bool] = lambda: False
) -> Pruned:
    """Delete detections beyond the limits, oldest first, in short transactions; files after their rows.

    data_dir: on the disk whose free space counts. dry_run: only report. is_stopped: called between two
    transactions. Raises RetentionError before anything is deleted, and django.db.Error.
    """
    total = Pruned()
    _require_reachable(rules, data_dir)
    while True:
        excess = _excess(rules, data_dir)
        gone = Pruned()
        for batch in _batches(excess):
            if is_stopped():
                break
            gone.add(_counted(batch) if dry_run else _delete(batch))
        total.add(gone)
        # Photos of the same content share a file, and a file differs in size from its upload: measure again.
        if dry_run or not gone.detections or is_stopped():
            return total


def clock_problem(rules: Rules) -> str:
    """Return why the age of detections cannot be trusted, as a sentence; "" where it can.

    A clock that has jumped ahead makes everything old. Only a person can tell it from a server that was not used.
    """
    newest = Detection.objects.aggregate(newest=Max("created_at"))["newest"]
    if rules.max_age is None or newest is None or timezone.now() - newest <= rules.max_age / 2:
        return ""
    return (
        f"This machine's clock says {timezone.now():%Y-%m-%d %H:%M} UTC, and the newest detection is of "
        f"{newest:%Y-%m-%d %H:%M} UTC."
    )


def stored_bytes() -> int:
    """The size of all stored files; of photos that an older version stored, that of their uploads."""
    files = Photo.objects.values("file").annotate(size=Max(Coalesce("stored_bytes", "size_bytes")))
    return int(files.aggregate(total=Sum("size"))["total"] or 0)


def _excess(rules: Rules, data_dir: Path) -> _Excess:
    before = None if rules.max_age is None else timezone.now() - rules.max_age
    detections = 0 if rules.keep is None else Detection.objects.count() - rules.keep
    return _Excess(before, detections, _excess_bytes(rules, data_dir))


def _excess_bytes(rules: Rules, data_dir: Path) -> int:
    missing = _missing_bytes(rules, data_dir)
    return max(missing, 0 if rules.max_bytes is None else stored_bytes() - rules.max_bytes)


def _missing_bytes(rules: Rules, data_dir: Path) -> int:
    return 0 if rules.min_free_bytes is None else max(0, rules.min_free_bytes - shutil.disk_usage(data_dir).free)


def _require_reachable(rules: Rules, data_dir: Path) -> None:
    """Raise RetentionError if other data fills the disk: deleting the whole history would not help."""
    if rules.min_free_bytes is None:
        return
    if photo_store.is_elsewhere():
        raise RetentionError("The photos are in PHOTO_STORE_URL: deleting them makes no room here. Use other limits.")
    missing = _missing_bytes(rules, data_dir)
    if missing and missing > (stored := stored_bytes()):
        raise RetentionError(
            f"{rules.min_free_bytes - missing:,} bytes are free and {rules.min_free_bytes:,} are asked for, but all "
            f"photos take only {stored:,}. Nothing was deleted. Make room on the disk, or ask for less."
        )


def _batches(excess: _Excess) -> Iterator[list[_Old]]:
    """Yield the detections to delete, oldest first: once one may stay, all newer ones may."""
    beyond = Q()
    while found := [_Old(*row) for row in _oldest(beyond)]:
        batch = list(itertools.takewhile(excess.take, found))
        if batch:
            yield batch
        if len(batch) < len(found):
            return
        last = found[-1]
        beyond = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, pk__gt=last.pk)


def _oldest(beyond: Q) -> Iterable[tuple[int, datetime, int, int]]:
    rows = Detection.objects.filter(beyond).order_by("created_at", "pk")
    size = Coalesce("photo__stored_bytes", "photo__size_bytes")
    return rows.values_list("pk", "created_at", "photo_id", size)[:BATCH]


def _counted(batch: list[_Old]) -> Pruned:
    """Count the effect of a deletion; photos of the same content are counted each."""
    sizes = {old.photo_id: old.size_bytes for old in batch}
    return Pruned(len(batch), len(sizes), sum(sizes.values()))


def _delete(batch: list[_Old]) -> Pruned:
    with transaction.atomic():
        # Locked, so that of two concurrent deletions of a photo's last two detections, one sees that it was the last.
        locked = Photo.objects.select_for_update().filter(pk__in={old.photo_id for old in batch}).order_by("pk")
        photos = {photo.pk: photo for photo in locked}
        detections = Detection.objects.filter(pk__in=[old.pk for old in batch])
        indexing.remove(detections)
        _, rows = detections.delete()
        unused = Photo.objects.filter(pk__in=photos, detections=None).values_list("pk", flat=True)
        gone = [photos[pk] for pk in unused]
        Photo.objects.filter(pk__in=[photo.pk for photo in gone]).delete()
    sizes = {photo.file: photo.stored_bytes or photo.size_bytes for photo in gone}
    shared = set(Photo.objects.filter(file__in=sizes).values_list("file", flat=True))
    for file in sizes.keys() - shared:
        photo_store.discard_unused(file)
    freed = [size for file, size in sizes.items() if file not in shared]
    return Pruned(rows.get(Detection._meta.label, 0), len(freed), sum(freed))
