"""Deletes expired sessions, whose rows Django keeps."""

from collections.abc import Callable

from django.contrib.sessions.models import Session
from django.utils import timezone

CHUNK = 1000


def remove_expired(is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete expired sessions in short transactions; return their number. is_stopped: called between two of them."""
    removed = 0
    while not is_stopped():
        expired = list(Session.objects.filter(expire_date__lt=timezone.now()).values_list("pk", flat=True)[:CHUNK])
        if not expired:
            break
        removed += Session.objects.filter(pk__in=expired).delete()[0]
    return removed
