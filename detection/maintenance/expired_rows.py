"""Deletes rows that serve for a limited time: expired sessions, which Django keeps, keys of review steps, and links
that ended long ago.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from detection.models import SentStep, ShareLink

CHUNK = 1000
# So long, whoever opens a link is told that it has ended.
ENDED_LINKS_KEPT = timedelta(days=90)


def remove_expired(is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete expired rows in short transactions; return their number. is_stopped: called between two of them."""
    now = timezone.now()
    expired: tuple[QuerySet[Any], ...] = (
        Session.objects.filter(expire_date__lt=now),
        SentStep.objects.filter(created_at__lt=now - SentStep.KEPT),
        ShareLink.objects.filter(ends_at__lt=now - ENDED_LINKS_KEPT),
    )
    return sum(_remove(rows, is_stopped) for rows in expired)


def _remove(rows: QuerySet[Any], is_stopped: Callable[[], bool]) -> int:
    removed = 0
    while not is_stopped():
        chunk = list(rows.values_list("pk", flat=True)[:CHUNK])
        if not chunk:
            break
        removed += rows.model._default_manager.filter(pk__in=chunk).delete()[0]
    return removed
