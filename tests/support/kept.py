"""Recorded detections of any age, with their photos."""

from collections.abc import Sequence
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from detection.history.recorder import Recorder
from detection.models import Detection
from tests.support import photos
from tests.support.records import record

WAIT_S = 60


def keep(*ages_days: float, contents: Sequence[int] | None = None) -> list[Detection]:
    """Record a detection for each age, with a photo of its own.

    contents: a number for each photo; equal numbers are equal photos.
    """
    seeds = list(range(len(ages_days))) if contents is None else list(contents)
    recorder = Recorder()
    try:
        records = [record(photos.encode(photos.noise((16, 16), seed))) for seed in seeds]
        uuids = [recorder.submit(one).result(WAIT_S) for one in records]
    finally:
        recorder.close()
    for uuid, age in zip(uuids, ages_days, strict=True):
        Detection.objects.filter(uuid=uuid).update(created_at=timezone.now() - timedelta(days=age))
    found = {one.uuid: one for one in Detection.objects.select_related("photo")}
    return [found[uuid] for uuid in uuids]


def has_file(detection: Detection) -> bool:
    """Return whether the photo's file is in the store."""
    return default_storage.exists(detection.photo.file)
