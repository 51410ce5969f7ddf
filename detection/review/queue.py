"""Review queue: a position in one of the queues of detections, and the detections that follow it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from detection.accounts.access import Caller, visible_to
from detection.history.selectors import shown
from detection.review import claims
from detection.review.queues.kinds import QueueKind
from detection.review.queues.listed import LOWEST

MAX_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """Detection in a queue. reason: why it is there. asked: keys of the objects that want a verdict of their own."""

    detection: UUID
    reason: str
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """Queue of detections for a reviewer.

    class_name: those that report an object of this class, or all for the empty name; the lowest probability is then
    that of the class. is_reviewed: the finished ones, to look at them again. album: only those in it.
    """

    order: QueueKind = LOWEST
    class_name: str = ""
    is_reviewed: bool = False
    album: UUID | None = None

    def entries(self, caller: Caller) -> QuerySet[Any]:
        """Return its rows that the caller may see, in its order."""
        # `IN`, because Django turns `is_reviewed=False` into `NOT is_reviewed`, which SQLite finds in no index.
        entries = self.order.rows(self.class_name).filter(**{f"{self.order.done}__in": [self.is_reviewed]})
        if self.album is not None:
            entries = entries.filter(detection__album_photos__album__uuid=self.album)
        entries = visible_to(caller, shown(entries, "detection_id"), owner="owner_id")
        sign = "-" if self.order.is_descending else ""
        return entries.order_by(*(sign + name for name in self.order.fields))

    def after(
        self, caller: Caller, detection_id: UUID | None, count: int, reviewer_id: int | None = None
    ) -> list[Place]:
        """Return the next detections after one of them, which need not be in the queue any more; the first ones without
        it.

        reviewer_id: hand them to this reviewer, and none that another one was handed (`claims.py`).
        """
        entries = self.entries(caller)
        here = None if detection_id is None else self._position(caller, detection_id)
        if here is not None:
            entries = entries.filter(self._beyond(here))
        entries = entries.select_related("detection")
        found = list(entries[:count]) if reviewer_id is None else claims.handed(entries, reviewer_id, count)
        return [self._place(row) for row in found]

    def place_of(self, detection_id: UUID) -> Place | None:
        """Return the place of a detection, also where it is done; None where it is not in the queue."""
        row = self.order.rows(self.class_name).filter(detection__uuid=detection_id).select_related("detection").first()
        return None if row is None else self._place(row)

    def count(self, caller: Caller) -> int:
        """Count the entries; MAX_COUNTED + 1 for all larger numbers, which would take long to count."""
        return self.entries(caller).order_by()[: MAX_COUNTED + 1].count()

    def _place(self, row: Any) -> Place:
        return Place(row.detection.uuid, self.order.reason(row), tuple(map(str, self.order.asked(row))))

    def _position(self, caller: Caller, detection_id: UUID) -> Sequence[float] | None:
        # That of another one's photo is nobody's business: between one's own it would tell its probability.
        rows = visible_to(caller, self.order.rows(self.class_name), owner="owner_id")
        return rows.filter(detection__uuid=detection_id).values_list(*self.order.fields).first()

    def _beyond(self, here: Sequence[float]) -> Q:
        """Return the condition for entries past a position; begins with a plain bound for the index
        (`pagination.Cursor.beyond`).
        """
        first, second = self.order.fields
        past = "lt" if self.order.is_descending else "gt"
        bound = Q(**{f"{first}__{past}e": here[0]})
        return bound & (Q(**{f"{first}__{past}": here[0]}) | Q(**{f"{second}__{past}": here[1]}))
