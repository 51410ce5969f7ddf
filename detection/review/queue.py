"""Review queue: a position in one of the lists of detections, and the detections that follow it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from detection.accounts.access import Caller, visible_to
from detection.history.selectors import shown
from detection.models import ListEntry

MAX_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """Order of a queue."""

    name: str
    fields: tuple[str, str]
    is_descending: bool


LOWEST = QueueOrder("lowest", ("lowest", "detection_id"), is_descending=False)
NEWEST = QueueOrder("newest", ("created_at", "detection_id"), is_descending=True)
ORDERS = {order.name: order for order in (LOWEST, NEWEST)}


@dataclass(frozen=True, slots=True)
class Queue:
    """Queue of detections for a reviewer.

    class_name: those that report an object of this class, or all for the empty name; the lowest probability is then
    that of the class. is_reviewed: the finished ones, to look at them again.
    """

    order: QueueOrder = LOWEST
    class_name: str = ""
    is_reviewed: bool = False

    def entries(self, caller: Caller) -> QuerySet[ListEntry]:
        """Return its entries that the caller may see, in its order."""
        # `IN`, because Django turns `is_reviewed=False` into `NOT is_reviewed`, which SQLite finds in no index.
        entries = ListEntry.objects.filter(class_name=self.class_name, is_reviewed__in=[self.is_reviewed])
        entries = visible_to(caller, shown(entries, "detection_id"), owner="owner_id")
        sign = "-" if self.order.is_descending else ""
        return entries.order_by(*(sign + name for name in self.order.fields))

    def after(self, caller: Caller, detection_id: UUID | None, count: int) -> list[UUID]:
        """Return the next detections after one of them, which need not be in the queue any more; the first ones without
        it.
        """
        entries = self.entries(caller)
        here = None if detection_id is None else self._place(detection_id)
        if here is not None:
            entries = entries.filter(self._beyond(here))
        return list(entries.values_list("detection__uuid", flat=True)[:count])

    def count(self, caller: Caller) -> int:
        """Count the entries; MAX_COUNTED + 1 for all larger numbers, which would take long to count."""
        return self.entries(caller).order_by()[: MAX_COUNTED + 1].count()

    def _place(self, detection_id: UUID) -> Sequence[float] | None:
        places = ListEntry.objects.filter(detection__uuid=detection_id, class_name=self.class_name)
        return places.values_list(*self.order.fields).first()

    def _beyond(self, here: Sequence[float]) -> Q:
        """Return the condition for entries past a position; begins with a plain bound for the index
        (`pagination.Cursor.beyond`).
        """
        first, second = self.order.fields
        past = "lt" if self.order.is_descending else "gt"
        bound = Q(**{f"{first}__{past}e": here[0]})
        return bound & (Q(**{f"{first}__{past}": here[0]}) | Q(**{f"{second}__{past}": here[1]}))
