"""Runs actions on many photos, chunk by chunk: the first second in the request, the rest on a thread of the server.

The progress is a row, written in the transaction of each chunk: an action goes on after its page was closed, and after
a server was killed, when its lease has run out. Of several servers one works on it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from detection.accounts.access import Caller, caller_of, visible_to
from detection.errors import RequestError
from detection.gallery import selection as selections
from detection.gallery.actions import KINDS
from detection.history import trash
from detection.inference.periodic import PeriodicThread
from detection.models import BulkAction, Detection

EVERY_S = 2.0
AT_ONCE_S = 1.0
_LEASE = timedelta(seconds=60)
_KEPT = timedelta(days=1)


def visible_actions(caller: Caller) -> QuerySet[BulkAction]:
    """Return the actions that a caller may see."""
    return visible_to(caller, BulkAction.objects.all())


def deletions(caller: Caller) -> QuerySet[BulkAction]:
    """Return the actions whose deletion can be undone, the newest first; `removed` is how many photos each deleted."""
    return visible_actions(caller).annotate(removed=Count("removals")).filter(kind="delete", removed__gt=0)


def start(kind: str, selection: Any, params: Mapping[str, Any], caller: Caller) -> BulkAction:
    """Begin an action, and carry it out for a second; small ones are done then.

    selection: as the script sends it (`selection.parse`). Raises RequestError, and what the kind raises.
    """
    if kind not in KINDS:
        raise RequestError(f"There is no action {kind!r}. Use one of {', '.join(KINDS)}.")
    chosen = selections.parse(selection)
    total = selections.detections_of(chosen, caller).order_by().count()
    action = BulkAction.objects.create(
        kind=kind,
        selection=chosen,
        params=KINDS[kind].prepare(params, caller),
        owner_id=caller.user_id,
        total=total,
        lease_until=timezone.now() + _LEASE,
    )
    try:
        _advance(action, time.monotonic() + AT_ONCE_S, lambda: False)
    finally:
        _release(action)
    return action


def stop(action: BulkAction) -> None:
    """Stop an action after its current chunk; what is done stays done."""
    BulkAction.objects.filter(pk=action.pk, state=BulkAction.State.RUNNING).update(state=BulkAction.State.STOPPED)


def undo(action: BulkAction) -> int:
    """Bring back what an action has deleted, and stop it; return how many photos."""
    stop(action)
    return trash.restore_all(action)


def run_waiting(is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Go on with the actions that no server works on, the oldest first, and forget old ones."""
    now = timezone.now()
    for action in BulkAction.objects.filter(_is_free(now), state=BulkAction.State.RUNNING).order_by("created_at"):
        if _claim(action):
            try:
                _advance(action, float("inf"), is_stopping)
            finally:
                _release(action)
    finished = BulkAction.objects.exclude(state=BulkAction.State.RUNNING).filter(removals=None)
    finished.filter(created_at__lt=now - _KEPT).delete()


@contextmanager
def working() -> Iterator[None]:
    """Run the thread that goes on with actions while the block runs."""
    thread = PeriodicThread("actions", lambda: _round(thread), EVERY_S)
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def _round(thread: PeriodicThread) -> None:
    try:
        run_waiting(thread.is_stopping)
    finally:
        connection.close()


def _is_free(now: Any) -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=now)


def _claim(action: BulkAction) -> bool:
    now = timezone.now()
    free = BulkAction.objects.filter(_is_free(now), pk=action.pk, state=BulkAction.State.RUNNING)
    return free.update(lease_until=now + _LEASE) == 1


def _release(action: BulkAction) -> None:
    BulkAction.objects.filter(pk=action.pk).update(lease_until=None)
    action.refresh_from_db()


def _advance(action: BulkAction, until_s: float, is_stopping: Callable[[], bool]) -> None:
    """Work until the action is done or stopped, or until a moment of the monotonic clock. One chunk is always done."""
    detections = selections.detections_of(action.selection, caller_of(action.owner))
    while not is_stopping():
        if not _step(action, detections) or time.monotonic() > until_s:
            return


def _step(action: BulkAction, detections: QuerySet[Detection]) -> bool:
    """Work on the next chunk, and write the progress along with it; return whether there is more."""
    kind = KINDS[action.kind]
    chunk = list(detections.filter(pk__gt=action.done_id).select_related("photo").order_by("pk")[: kind.chunk])
    running = BulkAction.objects.filter(pk=action.pk, state=BulkAction.State.RUNNING)
    if not chunk:
        running.update(state=BulkAction.State.DONE)
        return False
    failed = kind.work(action, chunk) if kind.is_slow else 0
    with transaction.atomic():
        # First, so that an action that was stopped meanwhile does no more; it locks the row against other servers, too.
        counted = {"done": F("done") + len(chunk), "failed": F("failed") + failed}
        if not running.update(done_id=chunk[-1].pk, lease_until=timezone.now() + _LEASE, **counted):
            return False
        if not kind.is_slow and (failed := kind.work(action, chunk)):
            BulkAction.objects.filter(pk=action.pk).update(failed=F("failed") + failed)
    action.done_id = chunk[-1].pk
    return True
