"""Runs a model over the photos of the history: each photo gets one more detection, and keeps those it has.

The progress is in the database: a photo that has a detection of this very model (by its hash), with the
same tiles, is skipped. So a
stopped or killed run resumes without a journal, and two runs at once do nothing twice (the id of a detection is
derived from the photo's, the model's and the tiles).
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext
from rich.console import Console

from detection.bulk.pipeline import in_order
from detection.bulk.progress import meter
from detection.bulk.running import AHEAD, Totals
from detection.bulk.stopping import stopping
from detection.errors import RequestError
from detection.history.recorder import Record, insert_detections
from detection.inference.detector import Detector
from detection.inference.errors import ImageDecodeError, ImageTooLargeError, OverloadedError
from detection.inference.tiles.grid import WHOLE
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from detection.predict import service as predict_service
from detection.predict.service import Upload
from detection.program import PROGRAM
from detection.serving import service as serving
from detection.serving.service import Asked

CHUNK = 200
# Beside the photos that people send.
PATIENT_AT_ONCE = 2
_WAIT_S = 0.2
_NAMESPACE = uuid.UUID("6f0b7a52-3c1e-4d55-9a0f-5f1f6d7f2b1c")
_GONE = "The photo was deleted meanwhile."
_NO_FILE = f"The file is missing or damaged. `{PROGRAM} prune --orphans` says more."


@dataclass(frozen=True, slots=True)
class Found:
    """A photo and the objects found in it, or the reason why there are none."""

    photo: Photo
    record: Record | None
    error: str = ""


def detect_again(
    detections: QuerySet[Detection],
    detector: Detector,
    threshold: float | None,
    console: Console,
    tiles: str = WHOLE,
) -> Totals:
    """Run a model over the photos of these detections, without those that arrive meanwhile.

    detector: with a queue that refuses nothing. tiles: of `tiles.grid.CHOICES`.
    Raises EngineError and DatabaseError; the photos before are done then.
    """
    every = Photo.objects.filter(Exists(detections.order_by().filter(photo=OuterRef("pk"))))
    done = Exists(Detection.objects.filter(photo=OuterRef("pk"), model_sha256=detector.network.sha256, tiles=tiles))
    before, left = every.filter(done).count(), every.exclude(done)
    answered, failed, started = before, 0, time.monotonic()
    with stopping() as stop, meter(console, before + left.count(), before) as shown:
        photos = stop.until_requested(_by_keyset(left))
        asked = serving.asked_of(detector, threshold)
        work = partial(_detect, asked=asked, tiles=tiles)
        for found in in_order(photos, work, detector.workers + AHEAD):
            error = found.error or _keep(found)
            answered, failed = (answered, failed + 1) if error else (answered + 1, failed)
            shown.advance()
            if error:
                shown.say(f"{found.photo.original_name or 'photo'} ({found.photo.uuid}): {error}")
    return Totals(answered, failed, answered + failed - before, time.monotonic() - started, stop.requested)


def detect_photos_of(detections: Sequence[Detection], asked: Asked) -> int:
    """Run a loaded model of the server over the photos of a few detections; return how many failed.

    Photos that have a detection of this very model are passed over. Where the queue is full, it waits for its turn.
    """
    same = {"model_sha256": asked.detector.network.sha256, "tiles": WHOLE}
    done = Exists(Detection.objects.filter(photo=OuterRef("pk"), **same))
    photos = Photo.objects.filter(pk__in=[one.photo_id for one in detections]).exclude(done).order_by("pk")
    work = partial(_detect_patiently, asked=asked)
    return sum(bool(found.error or _keep(found)) for found in in_order(_by_keyset(photos), work, PATIENT_AT_ONCE))


def detect_photo_of(detection: Detection, asked: Asked) -> Detection:
    """Run a loaded model of the server over the photo of a detection; return the new one, or the one that there was.

    Raises RequestError where the photo's file is missing or damaged or the answer is in the trash, and OverloadedError.
    """
    same = {"photo": detection.photo_id, "model_sha256": asked.detector.network.sha256, "tiles": WHOLE}
    answers = Detection.objects.filter(**same).order_by("-created_at", "-pk")
    if not answers.exists():
        for photo in _by_keyset(Photo.objects.filter(pk=detection.photo_id)):
            found = _detect(photo, asked, WHOLE)
            if error := found.error or _keep(found):
                raise RequestError(error)
    answer = answers.filter(removal=None).first()
    if answer is None:
        raise RequestError(gettext("This model's answer was deleted just now. Bring it back in the gallery."))
    return answer


def _detect_patiently(photo: Photo, asked: Asked) -> Found:
    while True:
        try:
            return _detect(photo, asked, WHOLE)
        except OverloadedError:
            # Photos that are sent come first.
            time.sleep(_WAIT_S)


def _by_keyset(photos: QuerySet[Photo]) -> Iterator[Photo]:
    """Yield the detections, oldest first, each photo once, a chunk in memory at a time; with the owner of the newest
    one.
    """
    owner = Detection.objects.filter(photo=OuterRef("pk")).order_by("-created_at", "-pk").values("owner_id")[:1]
    last = Photo.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    after = 0
    rows = photos.filter(pk__lte=last).annotate(owner_id=Subquery(owner)).order_by("pk")
    while chunk := list(rows.filter(pk__gt=after)[:CHUNK]):
        yield from chunk
        after = chunk[-1].pk


def _detect(photo: Photo, asked: Asked, tiles: str) -> Found:
    # Without tiles as before there were any, so that nothing is detected again.
    question = f"{photo.uuid} {asked.detector.network.sha256}" + ("" if tiles == WHOLE else f" {tiles}")
    try:
        data = photo_store.read(photo)
        upload = Upload(
            data,
            Detection.Source.REDETECT,
            threshold=asked.threshold,
            detection_uuid=uuid.uuid5(_NAMESPACE, question),
            owner_id=photo.owner_id,  # type: ignore[attr-defined]  # annotated above
        )
        prediction = asked.detector.detect(data, min_probability=asked.threshold, tiles=tiles)
    except FileNotFoundError:
        return Found(photo, None, _NO_FILE)
    except (ImageDecodeError, ImageTooLargeError) as error:
        return Found(photo, None, str(error))
    return Found(photo, predict_service.record_of(upload, prediction, asked))


def _keep(found: Found) -> str:
    """Write the rows; return the obstacle as a sentence, "" for none."""
    assert found.record is not None
    try:
        with transaction.atomic():
            # Locked, so that a deletion of its last detection does not remove the photo in between.
            photo = Photo.objects.select_for_update().filter(pk=found.photo.pk).first()
            if photo is None:
                return _GONE
            insert_detections([found.record], [photo])
    except IntegrityError:
        if not Detection.objects.filter(uuid=found.record.detection_uuid).exists():
            raise
    return ""
