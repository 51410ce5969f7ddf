"""Batches: many photos sent together, listed first, then sent one by one, each with a recorded state.

An item's state is in the database, and changes there in the transaction of its detection (`recorder.py`); so after an
interruption it is done, failed, or still waiting for its file.
Notifications of open pages are best effort: a page that missed one reads the whole batch again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from django.db import Error, transaction
from django.db.models import Case, Count, F, Min, When

from detection.batches.notifications import notify
from detection.batches.states import DETECTING, ItemState, ListedPhoto, Totals
from detection.conf import current
from detection.errors import FAILED, BodyTooLargeError, StorageUnavailableError, answer_to, describe
from detection.inference.types import NamedBox
from detection.models import Batch, BatchItem, DetectedObject
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.registry import catalogue
from detection.web.text import as_text

MAX_PHOTOS = 2_000
_TRY_LATER = 503


def create(
    name: str,
    threshold: float | None,
    photos: Sequence[ListedPhoto],
    owner_id: int | None = None,
    model: str = "",
) -> Batch:
    """Create a batch with its listed photos. One larger than MAX_BODY_BYTES has failed at once, with the reason.

    model: the name of the requested model, "" for the default. Raises UnknownModelError.
    """
    catalogue.require_model(model)
    config = current.config()
    too_large = str(BodyTooLargeError(config.max_body_bytes))
    with transaction.atomic():
        batch = Batch.objects.create(
            name=as_text(name) or f"{len(photos)} photos",
            threshold=catalogue.default_threshold(model) if threshold is None else threshold,
            model_name=model,
            owner_id=owner_id,
        )
        BatchItem.objects.bulk_create(
            BatchItem(
                batch=batch,
                position=position,
                name=as_text(photo.name),
                size_bytes=photo.size_bytes,
                state=BatchItem.State.FAILED if photo.size_bytes > config.max_body_bytes else BatchItem.State.WAITING,
                error=too_large if photo.size_bytes > config.max_body_bytes else "",
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
        raise StorageUnavailableError(
            "The batch could not be deleted: the database cannot be written now. Try again later."
        ) from error


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
        threshold=batch.threshold,
        batch_item=item.pk,
        owner_id=batch.owner_id,
        model=batch.model_name,
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
    unanswered.update(state=BatchItem.State.FAILED, error=sentence)
    return ItemState(item.position, BatchItem.State.FAILED, sentence)


def states_of(batch: Batch) -> list[ItemState]:
    """Return the states of all items in order, in two queries."""
    counts = _counts_by_detection(batch)
    # A detection in the trash is shown as deleted, though it may be restored.
    shown = Case(When(detection__removal=None, then=F("detection__uuid")))
    items = batch.items.annotate(shown=shown).values_list("position", "state", "error", "detection_id", "shown")
    return [
        ItemState(position, state, error, detection_uuid, counts.get(detection_id) if detection_uuid else None)
        for position, state, error, detection_id, detection_uuid in items
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
