"""Many photos sent together: listed first, then sent one by one, and every one of them accounted for.

What is known of an item is in the database, and changes there in the transaction of its detection (`recorder.py`); so
whoever asks after the server was stopped in the middle finds it done, failed, or still waiting for its file.
Announcements to the pages that look on are a courtesy: a page that missed one asks for the whole again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import Case, Count, F, Min, When

from detection.batches.notifications import announce
from detection.batches.states import DETECTING, ItemState, ListedPhoto, Totals
from detection.conf import current
from detection.errors import FAILED, BodyTooLargeError, answer_to, describe
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
    """List the photos of a new batch. One that is larger than MAX_BODY_BYTES has failed at once, with the reason.

    model: the name of the one that is to answer, "" for the default. Raises UnknownModelError.
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


def detect_item(item: BatchItem, upload: Upload) -> tuple[ItemState, Iterable[NamedBox]]:
    """Detect in the photo of an item and account for it; how the item stands then, and its objects.

    An item that is done stays as it is: whoever sends its file again, for the answer was lost, gets the stored one.
    Raises what `services.detect` raises. A photo that cannot be used has failed then; when the server cannot answer
    now, the item waits on.
    """
    if item.state == BatchItem.State.DONE:
        return _stored_answer(item)
    batch = item.batch
    wanted = replace(
        upload,
        original_name=item.name,
        threshold=batch.threshold,
        store=True,
        batch_item=item.pk,
        owner_id=batch.owner_id,
        model=batch.model_name or upload.model,
    )
    announce(batch.uuid, ItemState(item.position, DETECTING))
    try:
        answer = predict_service.detect(wanted)
    except Exception as error:
        announce(batch.uuid, _after(error, item))
        raise
    counts = Counter(found.class_name for found in answer.objects)
    done = ItemState(item.position, BatchItem.State.DONE, "", answer.detection_uuid, counts)
    announce(batch.uuid, done)
    return done, answer.objects


def _stored_answer(item: BatchItem) -> tuple[ItemState, Iterable[NamedBox]]:
    detection = item.detection
    if detection is None:
        return ItemState(item.position, BatchItem.State.DONE), ()
    objects = list(detection.objects_found.filter(probability__gt=detection.threshold))
    counts = Counter(found.class_name for found in objects)
    return ItemState(item.position, BatchItem.State.DONE, "", detection.uuid, counts), objects


def _after(error: Exception, item: BatchItem) -> ItemState:
    """Write down that an item has failed, unless it can be tried again as it is."""
    answer = answer_to(error)
    if answer is not None and answer.status == _TRY_LATER:
        return ItemState(item.position, BatchItem.State.WAITING)
    _, sentence = describe(error) or (500, FAILED)
    unanswered = BatchItem.objects.filter(pk=item.pk).exclude(state=BatchItem.State.DONE)
    unanswered.update(state=BatchItem.State.FAILED, error=sentence)
    return ItemState(item.position, BatchItem.State.FAILED, sentence)


def states_of(batch: Batch) -> list[ItemState]:
    """All items in their order, in two queries."""
    counts = _counts_by_detection(batch)
    # A detection that somebody has removed is told as deleted, though it may come back.
    shown = Case(When(detection__removal=None, then=F("detection__uuid")))
    items = batch.items.annotate(shown=shown).values_list("position", "state", "error", "detection_id", "shown")
    return [
        ItemState(position, state, error, detection_uuid, counts.get(detection_id) if detection_uuid else None)
        for position, state, error, detection_id, detection_uuid in items
    ]


def totals_of(states: Iterable[ItemState]) -> Totals:
    """How many photos are done and failed, and how many objects of each class were found, the most frequent first."""
    by_state: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    for state in states:
        by_state[state.state] += 1
        objects.update(state.counts or {})
    done, failed = by_state[BatchItem.State.DONE], by_state[BatchItem.State.FAILED]
    return Totals(by_state.total(), done, failed, dict(objects.most_common()))


def _counts_by_detection(batch: Batch) -> dict[int, dict[str, int]]:
    reported = DetectedObject.objects.filter(
        detection__batch_item__batch=batch, probability__gt=F("detection__threshold")
    )
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = reported.values_list("detection_id", "class_name").annotate(count=Count("pk"), first=Min("rank"))
    for detection_id, class_name, count, _first in rows.order_by("detection_id", "first"):
        counts[detection_id][class_name] = count
    return counts
