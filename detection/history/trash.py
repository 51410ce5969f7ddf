"""Deletions that can be undone: what somebody deletes in a page is hidden at once, and gone for good a little later.

Until then all of it is where it was, and a row says that it was removed; so there is nothing that a killed server could
leave half deleted. The running server finishes what is due (`upkeep.py`). Programs that DELETE mean it: they do not
come through here.
"""

import logging
from datetime import datetime, timedelta

from django.db import Error, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from detection.accounts.access import Caller, visible_to
from detection.errors import StorageUnavailableError
from detection.history import deletion, indexing
from detection.models import Detection, Removal

logger = logging.getLogger(__name__)

UNDO_MINUTES = 5
SHOWN_COUNT = 5


def remove(detection: Detection) -> None:
    """Hide a detection until it is undone or due; to remove it twice changes nothing.

    Raises StorageUnavailableError; then nothing has changed.
    """
    due_at = timezone.now() + timedelta(minutes=UNDO_MINUTES)
    try:
        with transaction.atomic():
            _, is_new = Removal.objects.get_or_create(detection=detection, defaults={"due_at": due_at})
            if is_new:
                indexing.hide(detection)
    except Error as error:
        raise StorageUnavailableError(
            "The detection could not be deleted: the database cannot be written now. Try again later."
        ) from error


def restore(removal: Removal) -> None:
    """Show a detection again, with everything that belongs to it.

    Raises StorageUnavailableError; then nothing has changed.
    """
    try:
        with transaction.atomic():
            count, _ = removal.delete()
            if count:
                indexing.show(removal.detection)
    except OperationalError as error:
        raise StorageUnavailableError(
            "The detection could not be brought back: the database cannot be written now. Try again later."
        ) from error


def of(caller: Caller) -> QuerySet[Removal]:
    """What the caller may bring back, the newest first."""
    removals = Removal.objects.select_related("detection__photo").order_by("-due_at", "-pk")
    return visible_to(caller, removals, owner="detection__owner")


def finish_due(now: datetime | None = None) -> int:
    """Delete for good what can no longer be undone; returns how many detections."""
    due = Removal.objects.filter(due_at__lte=now or timezone.now()).select_related("detection")
    finished = 0
    for removal in due.iterator():
        deletion.delete_detection(removal.detection)
        finished += 1
    return finished
