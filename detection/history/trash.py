"""Trash: a detection that is deleted in a page is hidden at once, can be restored, and is deleted permanently later.

Until then all its data stays in place, and a row marks it as deleted; so a killed server leaves nothing half
deleted. The background worker deletes those that are due (`maintenance/worker.py`). A DELETE of the API does not use
the trash.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import Error, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from detection.accounts.access import Caller, visible_to
from detection.errors import StorageUnavailableError
from detection.history import deletion, indexing
from detection.inference.messages import Message, gettext_noop
from detection.models import BulkAction, Detection, Removal

logger = logging.getLogger(__name__)

UNDO_MINUTES = 5
SHOWN_COUNT = 5
_AT_ONCE = 500
_NOT_RESTORED = Message(
    "detection_not_restored",
    gettext_noop("The detection could not be brought back: the database cannot be written now. Try again later."),
)


def remove(detection: Detection) -> None:
    """Hide a detection until it is restored or due; doing so twice changes nothing.

    Raises StorageUnavailableError; then nothing has changed.
    """
    due_at = timezone.now() + timedelta(minutes=UNDO_MINUTES)
    try:
        with transaction.atomic():
            _, is_new = Removal.objects.get_or_create(detection=detection, defaults={"due_at": due_at})
            if is_new:
                indexing.hide([detection])
    except Error as error:
        raise StorageUnavailableError(deletion.NOT_DELETED()) from error


def restore(removal: Removal) -> None:
    """Show a detection again, with all that belongs to it.

    Raises StorageUnavailableError; then nothing has changed.
    """
    try:
        with transaction.atomic():
            count, _ = removal.delete()
            if count:
                indexing.show([removal.detection])
    except OperationalError as error:
        raise StorageUnavailableError(_NOT_RESTORED()) from error


def remove_all(detections: Sequence[Detection], action: BulkAction) -> None:
    """Hide detections until the action that deletes them is undone, or they are due; within its transaction."""
    held = set(Removal.objects.filter(detection__in=detections).values_list("detection_id", flat=True))
    new = [detection for detection in detections if detection.pk not in held]
    due_at = timezone.now() + timedelta(minutes=UNDO_MINUTES)
    Removal.objects.bulk_create(Removal(detection=one, due_at=due_at, action=action) for one in new)
    indexing.hide(new)


def restore_all(action: BulkAction) -> int:
    """Show again all that an action has deleted, in short transactions; return how many detections.

    Raises StorageUnavailableError; then some may be restored, and the rest can be, later.
    """
    restored = 0
    try:
        while True:
            with transaction.atomic():
                removals = Removal.objects.select_for_update(of=("self",)).select_related("detection")
                some = list(removals.filter(action=action).order_by("pk")[:_AT_ONCE])
                if not some:
                    return restored
                Removal.objects.filter(pk__in=[one.pk for one in some]).delete()
                indexing.show([one.detection for one in some])
            restored += len(some)
    except OperationalError as error:
        raise StorageUnavailableError(_NOT_RESTORED()) from error


def of(caller: Caller) -> QuerySet[Removal]:
    """Return the detections that the caller may restore, the newest first."""
    removals = Removal.objects.select_related("detection__photo").order_by("-due_at", "-pk")
    return visible_to(caller, removals, owner="detection__owner")


def finish_due(now: datetime | None = None) -> int:
    """Delete permanently what is due; return how many detections."""
    due = Removal.objects.filter(due_at__lte=now or timezone.now()).select_related("detection")
    finished = 0
    for removal in due.iterator():
        deletion.delete_detection(removal.detection)
        finished += 1
    return finished
