"""Batches: many photos sent together, listed first, then sent one by one, each with a recorded state.

An item's state is in the database, and changes there in the transaction of its detection (`recorder.py`); so after an
interruption it is done, failed, or still waiting for its file.
Notifications of open pages are best effort: a page that missed one reads the whole batch again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import Error, transaction
from django.db.models import Case, Count, F, Min, When

from detection.batches.notifications import notify
from detection.batches.states import DETECTING, ItemState, ListedPhoto, Totals
from detection.conf import current
from detection.errors import FAILED, BodyTooLargeError, StorageUnavailableError, answer_to, describe
from detection.inference.messages import Message, Sentence, gettext_noop
from detection.inference.types import NamedBox
from detection.models import Batch, BatchItem, DetectedObject
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.registry import catalogue
from detection.web.text import as_text

MAX_PHOTOS = 2_000
_NOT_DELETED = Message(
    "batch_not_deleted",
    gettext_noop("The batch could not be deleted: the database cannot be written now. Try again later."),
)
_TRY_LATER = 503


def create(
    name: str,
    threshold: float | None,
    photos: Sequence[ListedPhoto],
    owner_id: int | None = None,
    *,
    model: str = "",
    tiles: str = "",
) -> Batch:
    """Create a batch with its listed photos. One larger than MAX_BODY_BYTES has failed at once, with the reason.

    model: the name of the requested model, "" for the default. tiles: as in `Upload`. Raises UnknownModelError.
    """
    catalogue.require_model(model)
    config = current.config()
    too_large = _failed(BodyTooLargeError(config.max_body_bytes).sentence)
    with transaction.atomic():
        batch = Batch.objects.create(
            name=as_text(name) or f"{len(photos)} photos",
            threshold=catalogue.default_threshold(model) if threshold is None else threshold,
            is_threshold_given=threshold is not None,
            model_name=model,
            tiles=tiles,
            owner_id=owner_id,
        )
        BatchItem.objects.bulk_create(
            BatchItem(
                batch=batch,
                position=position,
                name=as_text(photo.name),
                size_bytes=photo.size_bytes,
                **(too_large if photo.size_bytes > config.max_body_bytes else {}),
            )
            for position, photo in enumerate(photos)
        )
    return batch


def delete(batch: Batch) -> None:
    """Delete the list of a batch; its detections stay. Raises StorageUnavailableError."""
    try:
        with transaction.atomic():
            batch.delete()
    except Error as error:
        raise StorageUnavailableError(_NOT_DELETED()) from error


def detect_item(item: BatchItem, data: bytes, source: str) -> tuple[ItemState, Iterable[NamedBox]]:
    """Detect in the photo of an item and record its state; return the new state, and the objects.

    An item that is done stays unchanged: a client that sends its file again, after a lost response, gets the stored
    one. Raises the errors of `predict.service.detect`. An unusable photo has then failed; when the server is
    unavailable, the item keeps waiting.
    """
    if item.state == BatchItem.State.DONE:
        return _stored_answer(item)
    batch = item.batch
    upload = Upload(
        data,
        source,
        original_name=item.name,
        threshold=batch.threshold if batch.is_threshold_given else None,
        batch_item=item.pk,
        owner_id=batch.owner_id,
        model=batch.model_name,
        tiles=batch.tiles,
    )
    notify(batch.uuid, ItemState(item.position, DETECTING))
    try:
        answer = predict_service.detect(upload)
    except Exception as error:
        notify(batch.uuid, _after(error, item))
        raise
    counts = Counter(found.class_name for found in answer.objects)
    done = ItemState(item.position, BatchItem.State.DONE, "", answer.detection_uuid, counts)
    notify(batch.uuid, done)
    return done, answer.objects


def _stored_answer(item: BatchItem) -> tuple[ItemState, Iterable[NamedBox]]:
    detection = item.detection
    if detection is None:
        return ItemState(item.position, BatchItem.State.DONE), ()
    objects = list(detection.objects_found.reported())
    counts = Counter(found.class_name for found in objects)
    return ItemState(item.position, BatchItem.State.DONE, "", detection.uuid, counts), objects


def _after(error: Exception, item: BatchItem) -> ItemState:
    """Record that an item has failed, unless it can be retried unchanged."""
    answer = answer_to(error)
    if answer is not None and answer.status == _TRY_LATER:
        return ItemState(item.position, BatchItem.State.WAITING)
    _, sentence = describe(error) or (500, FAILED)
    unanswered = BatchItem.objects.filter(pk=item.pk).exclude(state=BatchItem.State.DONE)
    unanswered.update(**_failed(sentence))
    return ItemState(item.position, BatchItem.State.FAILED, sentence)


def _failed(sentence: Sentence) -> dict[str, Any]:
    """Return the fields of an item that has failed."""
    return {
        "state": BatchItem.State.FAILED,
        "error": str(sentence),
        "error_code": sentence.code,
        "error_params": dict(sentence.params),
    }


def states_of(batch: Batch) -> list[ItemState]:
    """Return the states of all items in order, in two queries."""
    counts = _counts_by_detection(batch)
    # A detection in the trash is shown as deleted, though it may be restored.
    shown = Case(When(detection__removal=None, then=F("detection__uuid")))
    return [
        ItemState(
            item.position,
            item.state,
            Sentence(item.error, item.error_code, item.error_params),
            item.shown,
            counts.get(item.detection_id or 0) if item.shown else None,
        )
        for item in batch.items.annotate(shown=shown)
    ]


def totals_of(states: Iterable[ItemState]) -> Totals:
    """Count done and failed photos, and the objects of each class, the most frequent first."""
    by_state: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    for state in states:
        by_state[state.state] += 1
        objects.update(state.counts or {})
    done, failed = by_state[BatchItem.State.DONE], by_state[BatchItem.State.FAILED]
    return Totals(by_state.total(), done, failed, dict(objects.most_common()))


def _counts_by_detection(batch: Batch) -> dict[int, dict[str, int]]:
    reported = DetectedObject.objects.reported().filter(detection__batch_item__batch=batch)
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = reported.values_list("detection_id", "class_name").annotate(count=Count("pk"), first=Min("rank"))
    for detection_id, class_name, count, _first in rows.order_by("detection_id", "first"):
        counts[detection_id][class_name] = count
    return counts
