"""Lists of batches that are too old; what was detected in their photos has rules of its own."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from detection.models import Batch

CHUNK = 20


def remove_older_than(age: timedelta | None, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete the lists of batches that were sent longer ago, in short transactions; return their number.

    age: None keeps all. is_stopped: called between two transactions.
    """
    removed = 0
    while age is not None and not is_stopped():
        oldest = Batch.objects.filter(created_at__lt=timezone.now() - age).order_by("created_at", "pk")
        chosen = list(oldest.values_list("pk", flat=True)[:CHUNK])
        if not chosen:
            break
        Batch.objects.filter(pk__in=chosen).delete()
        removed += len(chosen)
    return removed
