"""Demo history: real detections of variants of the sample photos, some reviewed, all removed again at once.

The detections have fixed ids, made of their numbers: so they can be found, are never loaded twice, and removing them
removes nothing else.
"""

import uuid
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from detection.accounts.access import Caller
from detection.conf import current
from detection.demo.variants import COUNT, Variant, variants
from detection.errors import RequestError
from detection.history.deletion import delete_detection
from detection.history.recorder import Record, insert_stored
from detection.inference.messages import Message, gettext_noop
from detection.inference.types import PixelBox
from detection.models import Detection, Verdict
from detection.photos import store as photo_store
from detection.photos.store import StoredPhoto
from detection.predict import service as predict_service
from detection.review import service as review_service
from detection.review.service import Reviewer, ReviewState, Statement

# Of every demo history, also of those that later versions make.
_NAMESPACE = uuid.UUID("5d7ad7a4-6b0e-4f0b-9d1c-0f5f4f2c7e11")
_MOST = 200
_IDS = tuple(uuid.uuid5(_NAMESPACE, str(number)) for number in range(_MOST))
_LOADED = Message("demo_loaded", gettext_noop("The demo history is loaded already. Remove it first to load it anew."))
# What a sample shows, by the names of COCO and of Pascal VOC.
_RIGHT = {
    "chelsea": {"cat"},
    "coffee": {"cup", "dining table", "diningtable"},
    "photographer": {"person"},
    "astronaut": {"person"},
    "raccoon": set[str](),
}
# Models miss it, as a rule.
_SPOON = PixelBox(318, 167, 90, 160)


def demo_detections() -> QuerySet[Detection]:
    """Return the detections of the demo history, those in the trash too."""
    return Detection.objects.filter(uuid__in=_IDS)


def load(caller: Caller, reviewer: Reviewer) -> int:
    """Detect in the photos of the demo history with the default model, and record them as of the last four weeks.

    Returns the number of detections; they are the caller's. Webhooks are not told. Raises RequestError when it is
    loaded already, and the errors of `predict.service.detect`; then nothing is kept.
    """
    if demo_detections().exists():
        raise RequestError(_LOADED())
    made = variants(timezone.now())
    records = [_record(variant, caller) for variant in made]
    stored: list[tuple[Record, StoredPhoto]] = []
    try:
        for record in records:
            stored.append((record, photo_store.save(record.data, record.info)))
        if current.config().durable:
            photo_store.flush([photo for _, photo in stored])
        with transaction.atomic():
            detections = insert_stored(stored)
            _review(made, detections, reviewer)
    except BaseException as error:
        for _, photo in stored:
            photo_store.discard_unused(photo.file)
        if isinstance(error, IntegrityError) and demo_detections().exists():
            raise RequestError(_LOADED()) from error
        raise
    return len(detections)


def remove() -> int:
    """Delete the demo history for good: detections, verdicts, photos and their files. Returns the number of detections.

    Raises StorageUnavailableError; then some may be left, and another call removes them.
    """
    detections = list(demo_detections())
    for detection in detections:
        delete_detection(detection)
    return len(detections)


def _record(variant: Variant, caller: Caller) -> Record:
    upload = predict_service.Upload(
        variant.data,
        variant.source,
        original_name=variant.name,
        owner_id=caller.user_id,
        detection_uuid=_IDS[variant.number],
        quiet=True,
    )
    asked, future = predict_service.submit(upload)
    prediction = predict_service.result_of(future, current.config().request_timeout_s)
    record = predict_service.record_of(upload, prediction, asked)
    record.measure_appearance()
    record.created_at = variant.created_at
    return record


def _review(made: Sequence[Variant], detections: Sequence[Detection], reviewer: Reviewer) -> None:
    """Review two of three in the older three weeks."""
    for variant, detection in zip(made, detections, strict=True):
        if variant.number < COUNT * 3 // 4 and variant.number % 3:
            loaded = review_service.reviewable(Detection.objects.all()).get(pk=detection.pk)
            statements = _statements(variant, review_service.state_of(loaded))
            review_service.judge(loaded, 0, statements, reviewer, reviewed=True)


def _statements(variant: Variant, state: ReviewState) -> list[Statement]:
    """Confirm what is right, name the raccoon, reject the rest, draw a missed spoon."""
    right = _RIGHT[variant.sample.name]
    statements = []
    for judged in state.open_objects:
        if judged.class_name in right:
            statements.append(Statement(judged.key, Verdict.Kind.CONFIRMED))
        elif variant.sample.name == "raccoon" and not statements:
            statements.append(Statement(judged.key, Verdict.Kind.RELABELLED, "raccoon"))
        else:
            statements.append(Statement(judged.key, Verdict.Kind.REJECTED))
    if variant.sample.name == "coffee" and variant.is_whole:
        statements.append(Statement(None, Verdict.Kind.ADDED, "spoon", _SPOON))
    return statements
