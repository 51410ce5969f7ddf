"""Rows of a synthetic history, reproducible by its seed.

They serve to measure lists and counters among a million detections, which share a few small photos.
"""

import copy
import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.history.copies import copy_into_the_past
from detection.history import counters, indexing
from detection.history.annotations import verdict_counts, with_verdicts
from detection.inference.photos.decode import read_info
from detection.models import DetectedObject, Detection, ListEntry, Photo, Review, Verdict
from detection.photos import store as photo_store

CHUNK = 5_000
MADE = 20_000
PHOTOS = 24
PHOTOS_A_FOLDER = 2_700
_SIZES_WH = ((640, 480), (480, 640), (800, 600))
_MAX_OBJECTS = 9
_MEAN_OBJECTS = 2.2
_THRESHOLD = 0.5
_SOURCES = ((Detection.Source.API, 0.7), (Detection.Source.PAGE, 0.2), (Detection.Source.COMMAND, 0.0995))
_RARE_SOURCE = Detection.Source.WEBSOCKET
_KINDS = ((Verdict.Kind.CONFIRMED, 0.86), (Verdict.Kind.REJECTED, 0.08), (Verdict.Kind.RELABELLED, 0.06))
_REVIEWERS = ("anna", "ben", "carla")


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a history: so many detections, spread over the days before `until`.

    classes: the first ones are frequent, the last ones rare. reviewed: share of reviewed detections.
    """

    detections: int
    classes: Sequence[str]
    seed: int
    until: datetime
    days: int
    reviewed: float


def make(plan: Plan) -> Iterator[int]:
    """Write the history in parts, each a transaction; after each one, yield the number of detections so far.

    Only the newest MADE are made one by one. The rest are copies moved to earlier days: a database copies a
    million rows in a minute or two.
    """
    parts = -(-plan.detections // MADE)
    count, rest = divmod(plan.detections, parts)
    days = max(plan.days // parts, 2)
    newest = replace(plan, detections=count, days=days - 1)
    yield from _make_each(newest)
    for copies in copy_into_the_past(parts - 1, days):
        yield count * (copies + 1)
    if rest:
        yield from (count * parts + done for done in _make_each(replace(newest, detections=rest, seed=plan.seed + 1)))


def _make_each(plan: Plan) -> Iterator[int]:
    random = np.random.default_rng(plan.seed)
    photos = _photos(random)
    for first in range(0, plan.detections, CHUNK):
        count = min(CHUNK, plan.detections - first)
        with transaction.atomic():
            detections, objects = _chunk(plan, random, photos, first, count)
            indexing.add(detections, objects)
            _review(plan, random, detections, objects)
        yield first + count


def _photos(random: np.random.Generator) -> list[Photo]:
    made = []
    for number in range(PHOTOS):
        data = _picture(random, _SIZES_WH[number % len(_SIZES_WH)])
        info = read_info(data, max_pixels=10**7)
        stored = photo_store.save(data, info)
        made.append(
            Photo(
                sha256=stored.sha256,
                original_name=f"made-{number:02d}.jpg",
                format=stored.format,
                width=info.size_wh[0],
                height=info.size_wh[1],
                size_bytes=len(data),
                file=stored.file,
                created_at=timezone.now(),
            )
        )
    return made


def _each_its_own(
    photos: Sequence[Photo], of_photos: Sequence[int], first: int, moments: Sequence[datetime]
) -> list[Photo]:
    """Write a photo for each detection, as uploads have one, with a file that others share."""
    rows = []
    for place, (photo, moment) in enumerate(zip(of_photos, moments, strict=True)):
        number = first + place
        row = copy.copy(photos[photo])
        row.pk, row.uuid, row.created_at = None, uuid.uuid4(), moment
        row.original_name = f"day-{number // PHOTOS_A_FOLDER:05d}/IMG_{number:07d}.jpg"
        rows.append(row)
    return Photo.objects.bulk_create(rows)


def _picture(random: np.random.Generator, size_wh: tuple[int, int]) -> bytes:
    """Return a picture of coloured shapes."""
    image = Image.new("RGB", size_wh, tuple(int(one) for one in random.integers(40, 220, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = (int(random.integers(0, edge)) for edge in size_wh)
        width, height = (int(random.integers(20, edge // 2)) for edge in size_wh)
        colour = tuple(int(one) for one in random.integers(0, 255, 3))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)((x, y, x + width, y + height), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _chunk(
    plan: Plan, random: np.random.Generator, photos: Sequence[Photo], first: int, count: int
) -> tuple[list[Detection], list[DetectedObject]]:
    """Write a chunk of detections and their objects; times rise with the ids, as in a real history."""
    numbers = np.minimum(random.poisson(_MEAN_OBJECTS, count), _MAX_OBJECTS)
    found = _found(plan, random, int(numbers.sum()))
    probabilities = np.split(found["probability"], np.cumsum(numbers)[:-1])
    names = [*(source for source, _ in _SOURCES), _RARE_SOURCE]
    shares = [share for _, share in _SOURCES]
    sources = random.choice(len(names), count, p=[*shares, 1 - sum(shares)]).tolist()
    of_photos = random.integers(len(photos), size=count).tolist()
    step = timedelta(days=plan.days) / plan.detections
    ages = (plan.detections - first - np.arange(count) - random.random(count)).clip(0).tolist()
    moments = [plan.until - step * age for age in ages]
    detections = Detection.objects.bulk_create(
        Detection(
            photo=photo,
            model_name="sample",
            model_sha256="0" * 64,
            engine="none",
            device="CPU",
            precision="f32",
            threshold=_THRESHOLD,
            reported_count=int((of_one > _THRESHOLD).sum()),
            timings_ms={"decode": 2.0, "inference": 8.0},
            source=names[source].value,
            created_at=moment,
        )
        for photo, of_one, source, moment in zip(
            _each_its_own(photos, of_photos, first, moments), probabilities, sources, moments, strict=True
        )
    )
    found_by = [
        detection for detection, number in zip(detections, numbers.tolist(), strict=True) for _ in range(number)
    ]
    _sort_within(found, numbers)
    rows = zip(
        found_by, _ranks(numbers), zip(*(column.tolist() for column in found.values()), strict=True), strict=True
    )
    return detections, DetectedObject.objects.bulk_create(
        _object(plan, detection, rank, _Found(*row)) for detection, rank, row in rows
    )


def _found(plan: Plan, random: np.random.Generator, total: int) -> dict[str, NDArray[Any]]:
    """Return the columns of all objects of a chunk, boxes in fractions of the photo. A class is half as frequent as the
    one at half its position.
    """
    weights = 1.0 / np.arange(1, len(plan.classes) + 1)
    return {
        "class_id": random.choice(len(plan.classes), total, p=weights / weights.sum()),
        "probability": np.round(0.1 + 0.9 * random.beta(2.5, 1.2, total), 6),
        "left": random.uniform(0.0, 0.5, total),
        "top": random.uniform(0.0, 0.5, total),
        "wide": random.uniform(0.05, 0.5, total),
        "high": random.uniform(0.05, 0.5, total),
    }


def _sort_within(found: dict[str, NDArray[Any]], numbers: NDArray[np.int64]) -> None:
    """Sort the objects of each detection by probability."""
    of_detection = np.repeat(np.arange(len(numbers)), numbers)
    order = np.lexsort((-found["probability"], of_detection))
    for name, column in found.items():
        found[name] = column[order]


def _ranks(numbers: NDArray[np.int64]) -> list[int]:
    return [rank for number in numbers.tolist() for rank in range(number)]


class _Found(NamedTuple):
    """Row of `_found`."""

    class_id: int
    probability: float
    left: float
    top: float
    wide: float
    high: float


def _object(plan: Plan, detection: Detection, rank: int, found: _Found) -> DetectedObject:
    photo = detection.photo
    x, y = int(found.left * photo.width), int(found.top * photo.height)
    width, height = int(found.wide * photo.width), int(found.high * photo.height)
    return DetectedObject(
        detection=detection,
        rank=rank,
        class_id=found.class_id,
        class_name=plan.classes[found.class_id],
        probability=found.probability,
        x=x,
        y=y,
        width=width,
        height=height,
        xmin=x / photo.width,
        ymin=y / photo.height,
        xmax=(x + width) / photo.width,
        ymax=(y + height) / photo.height,
    )


def _review(
    plan: Plan, random: np.random.Generator, detections: Sequence[Detection], objects: Sequence[DetectedObject]
) -> None:
    """Review some of the detections, as a person would: most objects are right."""
    looked_at = (random.random(len(detections)) < plan.reviewed).tolist()
    chosen = {one.pk: one for one, is_chosen in zip(detections, looked_at, strict=True) if is_chosen}
    if not chosen:
        return
    verdicts = []
    judged = [one for one in objects if one.detection_id in chosen and one.probability > _THRESHOLD]
    said = random.choice([kind.value for kind, _ in _KINDS], len(judged), p=[share for _, share in _KINDS]).tolist()
    for found, kind in zip(judged, said, strict=True):
        other = plan.classes[(found.class_id + 1) % len(plan.classes)]
        verdicts.append(
            Verdict(
                detection=chosen[found.detection_id],
                step=1,
                found=found,
                kind=kind,
                class_name=other if kind == Verdict.Kind.RELABELLED else found.class_name,
                x=found.x,
                y=found.y,
                width=found.width,
                height=found.height,
                reviewer_name=_REVIEWERS[found.detection_id % len(_REVIEWERS)],
            )
        )
    Verdict.objects.bulk_create(verdicts)
    Review.objects.bulk_create(
        Review(
            detection=one,
            version=1,
            is_reviewed=True,
            reviewed_at=one.created_at + timedelta(hours=1),
            reviewer_name=_REVIEWERS[one.pk % len(_REVIEWERS)],
        )
        for one in chosen.values()
    )
    ListEntry.objects.filter(detection__in=chosen).update(is_reviewed=True)
    indexing.mark(with_verdicts(Detection.objects.filter(pk__in=chosen)))
    counters.add(verdict_counts(list(chosen.values())))
