"""Claims: of several logged-in reviewers at one queue, each is handed photos that no other one was handed.

A claim ends after `ReviewClaim.KEPT`, so that photos that somebody left alone come to the others. Reviewers without a
login cannot be told apart: they claim nothing, and see everything.
"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from detection.models import ReviewClaim

# Each time others were faster, there are fewer of them left to be faster.
_ATTEMPTS = 5


def handed(rows: QuerySet[Any], reviewer_id: int, count: int) -> list[Any]:
    """Return the first rows whose detections no other reviewer has claimed, at most `count`, and claim them.

    rows: with `detection_id`, in their order.
    """
    found: list[Any] = []
    for _ in range(_ATTEMPTS):
        found = list(free(rows, reviewer_id)[:count])
        mine = _claim([row.detection_id for row in found], reviewer_id)
        if len(mine) == len(found):
            break
        found = [row for row in found if row.detection_id in mine]
    return found


def free(rows: QuerySet[Any], reviewer_id: int) -> QuerySet[Any]:
    """Exclude what others have claimed, which is never much."""
    others = ReviewClaim.objects.filter(until__gt=timezone.now()).exclude(reviewer=reviewer_id)
    return rows.exclude(detection_id__in=others.values("detection_id"))


def _claim(detections: list[int], reviewer_id: int) -> set[int]:
    """Claim detections, or renew the claim; return those that are this reviewer's now."""
    now = timezone.now()
    ReviewClaim.objects.filter(until__lte=now).delete()
    ReviewClaim.objects.bulk_create(
        [
            ReviewClaim(detection_id=pk, reviewer_id=reviewer_id, until=now + ReviewClaim.KEPT)
            for pk in sorted(detections)
        ],
        ignore_conflicts=True,
    )
    mine = ReviewClaim.objects.filter(detection__in=detections, reviewer=reviewer_id)
    mine.update(until=now + ReviewClaim.KEPT)
    return set(mine.values_list("detection_id", flat=True))
