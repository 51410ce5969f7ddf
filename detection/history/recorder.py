"""Recorder that writes photos to the store and detections to the database, on threads of its own.

Files are written side by side; rows by one thread, since SQLite takes one writer at a time. Under load it commits
all detections gathered since the last commit in one transaction, which costs hardly more than committing one;
alone, a detection is committed at once.
"""

import logging
import queue
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.utils import timezone

from detection.conf import current
from detection.errors import AccountClosedError, StorageUnavailableError
from detection.history import indexing, plain_rows
from detection.inference.hardware import usable_cores
from detection.inference.messages import Message, gettext_noop
from detection.inference.photos.appearance import brightness_of, sharpness_of
from detection.inference.photos.decode import PhotoInfo
from detection.inference.photos.decoding_memory import LARGE_BYTES, decoding_bytes
from detection.inference.queues.fair_queue import FairPool
from detection.inference.tiles.grid import WHOLE
from detection.inference.types import FoundObject, ImageArray, Thresholds, reported_at
from detection.models import BatchItem, DetectedObject, Detection, Photo
from detection.observability import metrics, request_id
from detection.photos import store as photo_store
from detection.photos.store import StoredPhoto
from detection.serving.points import ServedPoint
from detection.web import callers
from detection.webhooks import outbox

logger = logging.getLogger(__name__)

MAX_GROUP = 64
_STOPPING = Message("server_stopping", gettext_noop("The server is stopping. Nothing was stored; try again later."))
_NO_DATABASE = Message(
    "detection_not_kept_in_database",
    gettext_noop(
        "The detection could not be kept: the database cannot be written now. Nothing was stored; try again later."
    ),
)
_OUTCOME_UNKNOWN = Message(
    "detection_outcome_unknown",
    gettext_noop(
        "The database went away while the detection was being written, so it may be kept or not. Look at the "
        "history, or send the photo again."
    ),
)
_NO_PHOTO_STORE = Message(
    "detection_not_kept_in_photo_store",
    gettext_noop(
        "The detection could not be kept: the photo store cannot be written now. Nothing was stored; try again later."
    ),
)


@dataclass(slots=True)
class Record:
    """One detection to be recorded: the upload, the objects, and their model.

    batch_item: primary key of the batch item that this detection completes; None for a photo on its own.
    detection_uuid: of the future detection. owner_id: primary key of the user who owns it. point: that answered.
    sampled_rows: of the network's input; brightness and sharpness are made of them on the way to the database.
    created_at: of a detection that counts as made earlier; None for now.
    """

    data: bytes
    info: PhotoInfo
    original_name: str
    objects: tuple[FoundObject, ...]
    threshold: float
    timings_ms: dict[str, float]
    source: str
    model_name: str
    model_sha256: str
    engine: str
    device: str
    precision: str
    model_version: str = ""
    tiles: str = WHOLE
    tile_grid: str = ""
    batch_item: int | None = None
    owner_id: int | None = None
    point: ServedPoint | None = None
    sampled_rows: ImageArray | None = None
    brightness: float | None = None
    sharpness: float | None = None
    created_at: datetime | None = None
    request_id: str = field(default_factory=request_id.current)
    detection_uuid: uuid.UUID = field(default_factory=uuid.uuid4)

    def measure_appearance(self) -> None:
        """Make brightness and sharpness of the sampled rows, and drop those."""
        rows, self.sampled_rows = self.sampled_rows, None
        if rows is not None:
            self.brightness, self.sharpness = brightness_of(rows), sharpness_of(rows)

    @property
    def thresholds(self) -> float | Thresholds:
        """Its threshold, or those of its operating point."""
        return self.threshold if self.point is None else self.point.thresholds


_Stored = tuple[Record, StoredPhoto, "Future[uuid.UUID]"]


class _OutcomeUnknownError(Exception):
    """The connection was lost while COMMIT was on its way: the rows may be in the database."""


class Recorder:
    """Threads that write files, the queue of written ones, and the thread that writes their rows."""

    def __init__(self) -> None:
        self._files = FairPool(usable_cores(), "photo-files")
        self._queue: queue.SimpleQueue[_Stored | None] = queue.SimpleQueue()
        self._closed = False
        # No record is queued behind the end: its caller would be blocked for ever.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def submit(self, record: Record) -> "Future[uuid.UUID]":
        """Queue a record. The future gives the detection's uuid, or StorageUnavailableError when nothing was stored.

        Raises StorageUnavailableError after `close`.
        """
        future: Future[uuid.UUID] = Future()
        with self._lock:
            if self._closed:
                raise StorageUnavailableError(_STOPPING())
            self._files.submit(
                self._store,
                record,
                future,
                caller=callers.current(),
                is_large=decoding_bytes(record.data) > LARGE_BYTES,
            )
        return future

    def close(self) -> None:
        """Write the queued records, then stop."""
        with self._lock:
            self._closed = True
        self._files.shutdown()
        self._queue.put(None)
        self._thread.join()

    def _store(self, record: Record, future: "Future[uuid.UUID]") -> None:
        if not future.set_running_or_notify_cancel():
            return
        record.measure_appearance()
        stored = _store(record, future)
        if stored is not None:
            self._queue.put(stored)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._gather(first)
            try:
                _write(group)
            except Exception as error:  # the thread must survive; the callers get the error
                logger.exception("Detections could not be recorded.")
                for _, _, future in group:
                    if not future.done():
                        future.set_exception(error)
            if last:
                break
        connection.close()

    def _gather(self, first: _Stored) -> tuple[list[_Stored], bool]:
        """Return the queued records, up to MAX_GROUP, and whether the end of the queue was among them."""
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                return group, True
            group.append(waiting)
        return group, False


def _write(stored: list[_Stored]) -> None:
    try:
        _commit_on_living_connection(stored)
    except _OutcomeUnknownError as error:
        for one in stored:
            _leave_open(one, error)
    except (OperationalError, InterfaceError) as error:
        # The database is at fault, not a record: retrying each one would repeat the same failure for all of them.
        for one in stored:
            _give_up(one, _NO_DATABASE, error)
    except OSError as error:
        for one in stored:
            _give_up(one, _NO_PHOTO_STORE, error)
    except DatabaseError as error:
        if len(stored) == 1:
            _give_up(stored[0], _NO_DATABASE, error)
        else:
            for one in stored:
                _commit_alone(one)


def _commit_on_living_connection(stored: list[_Stored]) -> None:
    """Commit, reconnecting once: opening a connection costs more than a commit, so the thread keeps its own. A server
    that was restarted meanwhile has closed it, which shows here.
    """
    try:
        _commit(stored)
    except _OutcomeUnknownError as error:
        connection.close()
        try:
            if _is_committed(stored):
                _settle(stored)
            else:
                _commit(stored)
        except (OperationalError, InterfaceError):
            raise error from None
    except (OperationalError, InterfaceError):
        if connection.connection is None or connection.is_usable():
            raise
        connection.close()
        _commit(stored)


def _store(record: Record, future: "Future[uuid.UUID]") -> _Stored | None:
    """Write the photo's file; return None, with the error passed to the caller, on failure."""
    try:
        return record, photo_store.save(record.data, record.info), future
    except OSError as error:
        logger.error("A photo could not be stored.", exc_info=error)
        future.set_exception(_unavailable(_NO_PHOTO_STORE, error))
    except Exception as error:  # an error of one photo must not affect the others of its group
        logger.exception("A photo could not be prepared for the photo store.")
        future.set_exception(error)
    return None


def _commit(stored: list[_Stored]) -> None:
    """Flush the files of all, insert their rows in one short transaction, then tell the callers.

    A row is only written when its file is on the disk, so no power failure leaves a row with an empty file.
    Raises _OutcomeUnknownError when the connection is lost during COMMIT.
    """
    if current.config().durable:
        photo_store.flush([photo for _, photo, _ in stored])
    is_inserted = False
    try:
        with transaction.atomic():
            insert_stored([(record, photo) for record, photo, _ in stored], is_told=True)
            is_inserted = True
    except (OperationalError, InterfaceError) as error:
        if is_inserted and (connection.connection is None or not connection.is_usable()):
            raise _OutcomeUnknownError from error
        raise
    _settle(stored)


def _is_committed(stored: list[_Stored]) -> bool:
    """Return whether the rows are there already; those of one transaction are there together or not at all."""
    return Detection.objects.filter(uuid=stored[0][0].detection_uuid).exists()


def _settle(stored: list[_Stored]) -> None:
    """Tell the callers that their detections are in the database."""
    metrics.STORED_PHOTOS.inc(len(stored))
    metrics.STORED_BYTES.inc(sum(len(record.data) for record, _, _ in stored))
    for record, photo, future in stored:
        try:
            photo_store.ensure(photo, record.data, record.info)
        except OSError:
            logger.exception("The file %s was deleted meanwhile and could not be written again.", photo.file)
        future.set_result(record.detection_uuid)


def _commit_alone(stored: _Stored) -> None:
    try:
        _commit([stored])
    except _OutcomeUnknownError as error:
        _leave_open(stored, error)
    except Error as error:
        _give_up(stored, _NO_DATABASE, error)
    except OSError as error:
        _give_up(stored, _NO_PHOTO_STORE, error)


def _leave_open(stored: _Stored, error: Exception) -> None:
    """Pass the error to the caller and leave the photo's file: its row may be there. Else it is an orphan, and the
    worker removes it.
    """
    record, _, future = stored
    with request_id.bound(record.request_id):
        logger.error("It is unknown whether a detection was recorded.", exc_info=error)
    future.set_exception(_unavailable(_OUTCOME_UNKNOWN, error))


def _give_up(stored: _Stored, what: Message, error: Exception) -> None:
    """Remove the photo's file again and pass the error to the caller."""
    record, photo, future = stored
    with request_id.bound(record.request_id):
        logger.error("A detection could not be recorded.", exc_info=error)
    try:
        photo_store.discard_unused(photo.file)
    except Error:
        # It is unknown which files have rows. One that existed before may have; one that we made has none, since its
        # own rows never came as far as COMMIT.
        if photo.is_new:
            photo_store.discard(photo.file)
    future.set_exception(AccountClosedError() if _has_lost_its_owner(record, error) else _unavailable(what, error))


def _has_lost_its_owner(record: Record, error: Exception) -> bool:
    if record.owner_id is None or not isinstance(error, IntegrityError):
        return False
    return not get_user_model().objects.filter(pk=record.owner_id).exists()


def _unavailable(what: Message, error: Exception) -> StorageUnavailableError:
    unavailable = StorageUnavailableError(what())
    unavailable.__cause__ = error
    return unavailable


def insert_stored(stored: Sequence[tuple[Record, StoredPhoto]], *, is_told: bool = False) -> list[Detection]:
    """Insert photos and detections whose files are stored already; within a transaction. is_told: webhooks are told.

    Four bulk inserts and a few counts for any number of records, and an update for each batch item.
    """
    now = timezone.now()
    photos = Photo.objects.bulk_create(
        Photo(
            sha256=photo.sha256,
            original_name=record.original_name,
            format=photo.format,
            width=record.info.size_wh[0],
            height=record.info.size_wh[1],
            size_bytes=len(record.data),
            file=photo.file,
            stored_bytes=photo.content_bytes,
            share_read=record.info.share_read if record.info.is_cut_off else None,
            stored_sha256=photo.content_sha256,
            brightness=record.brightness,
            sharpness=record.sharpness,
            created_at=now,
        )
        for record, photo in stored
    )
    for _, photo in stored:
        if photo.is_repaired:
            Photo.objects.filter(file=photo.file).update(
                stored_bytes=photo.content_bytes, stored_sha256=photo.content_sha256
            )
    detections = insert_detections([record for record, _ in stored], photos, is_told=is_told)
    for (record, photo), detection in zip(stored, detections, strict=True):
        if record.batch_item is not None:
            _finish_item(record.batch_item, photo, detection)
    return detections


def insert_detections(records: Sequence[Record], photos: Sequence[Photo], *, is_told: bool = False) -> list[Detection]:
    """Insert detections whose photos are stored already, each with its own; within a transaction. is_told: webhooks are
    told of them.
    """
    detections = Detection.objects.bulk_create(
        _detection(record, photo) for record, photo in zip(records, photos, strict=True)
    )
    objects = [
        _object(detection, rank, found)
        for record, detection in zip(records, detections, strict=True)
        for rank, found in enumerate(record.objects)
    ]
    plain_rows.insert(objects)
    indexing.add(detections, objects)
    if is_told:
        outbox.detected(detections, objects)
    return detections


def _finish_item(batch_item: int, photo: StoredPhoto, detection: Detection) -> None:
    """Complete the item, in the transaction of its detection. Of two uploads at once, the first counts."""
    BatchItem.objects.filter(pk=batch_item).exclude(state=BatchItem.State.DONE).update(
        state=BatchItem.State.DONE, error="", error_code="", error_params=None, sha256=photo.sha256, detection=detection
    )


def _detection(record: Record, photo: Photo) -> Detection:
    return Detection(
        uuid=record.detection_uuid,
        photo=photo,
        model_name=record.model_name,
        model_version=record.model_version,
        model_sha256=record.model_sha256,
        engine=record.engine,
        device=record.device,
        precision=record.precision,
        tiles=record.tiles,
        tile_grid=record.tile_grid,
        threshold=record.threshold,
        point_id=None if record.point is None else record.point.pk,
        reported_count=len(reported_at(record.objects, record.thresholds)),
        timings_ms=record.timings_ms,
        source=record.source,
        owner_id=record.owner_id,
        created_at=record.created_at or timezone.now(),
    )


def _object(detection: Detection, rank: int, found: FoundObject) -> DetectedObject:
    xmin, ymin, xmax, ymax = found.box_xyxy_unit
    return DetectedObject(
        detection=detection,
        rank=rank,
        class_id=found.class_id,
        class_name=found.class_name,
        probability=found.probability,
        x=found.box.x,
        y=found.box.y,
        width=found.box.width,
        height=found.box.height,
        xmin=xmin,
        ymin=ymin,
        xmax=xmax,
        ymax=ymax,
    )
