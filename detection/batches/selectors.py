"""Batches and their photos that a caller may see."""

from django.db.models import QuerySet

from detection.accounts.access import Caller, visible_to
from detection.models import Batch, BatchItem


def visible_batches(caller: Caller) -> QuerySet[Batch]:
    """Return the batches that a caller may see."""
    return visible_to(caller, Batch.objects.all())


def visible_items(caller: Caller) -> QuerySet[BatchItem]:
    """Return the photos of all batches that a caller may see."""
    return visible_to(caller, BatchItem.objects.all(), owner="batch__owner")
