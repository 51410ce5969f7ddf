"""Batches and their photos that a caller may see."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from detection.accounts.access import Caller, visible_to
from detection.models import Batch, BatchItem


def visible_batches(caller: Caller) -> QuerySet[Batch]:
    """Return the batches that a caller may see."""
    return visible_to(caller, Batch.objects.all())


def visible_items(caller: Caller) -> QuerySet[BatchItem]:
    """Return the photos of all batches that a caller may see."""
    return visible_to(caller, BatchItem.objects.all(), owner="batch__owner")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in the list of batches."""

    batch: Batch
    photos: int
    done: int
    failed: int

    @property
    def waiting(self) -> int:
        """Photos without a file."""
        return self.photos - self.done - self.failed


def rows_of(shown: Iterable[Batch]) -> list[BatchRow]:
    """Return the rows, with the counts of all of them in one query."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    items = BatchItem.objects.filter(batch__in=list(shown)).order_by()
    for batch_id, state, count in items.values_list("batch_id", "state").annotate(count=Count("pk")):
        counts[batch_id][state] = count
    return [
        BatchRow(
            batch,
            counts[batch.pk].total(),
            counts[batch.pk][BatchItem.State.DONE],
            counts[batch.pk][BatchItem.State.FAILED],
        )
        for batch in shown
    ]
