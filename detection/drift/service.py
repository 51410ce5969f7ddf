"""Days that are over become rows, each compared with the reference period, and what differs is told."""

import logging
from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from detection.conf import current
from detection.drift import measures
from detection.drift.comparison import (
    MAX_REFERENCE_DAYS,
    MIN_PHOTOS,
    MIN_REFERENCE_DAYS,
    WINDOWS,
    Day,
    Measure,
    compare,
)
from detection.models import Detection, DriftDay, DriftReference
from detection.webhooks import outbox

logger = logging.getLogger(__name__)

# A server that was off for longer begins again with these days.
_CATCH_UP_DAYS = 60
# A finding that goes on is told again after so many days.
_AGAIN_AFTER_DAYS = 7


def full_name(name: str, version: str) -> str:
    """Return NAME@VERSION, or NAME."""
    return f"{name}@{version}" if version else name


def update(today: date | None = None) -> None:
    """Write the rows of the days that are over and have none yet, of every model that answered then."""
    today = today or datetime.now(UTC).date()
    first = today - timedelta(days=_CATCH_UP_DAYS)
    newest = DriftDay.objects.aggregate(newest=Max("day"))["newest"]
    if newest is not None:
        first = max(first, newest + timedelta(days=1))
    for days in range((today - first).days):
        day = first + timedelta(days=days)
        for name, version in _models_of(day):
            _write(day, name, version)


def _models_of(day: date) -> list[tuple[str, str]]:
    moment = datetime.combine(day, datetime.min.time(), UTC)
    found = Detection.objects.filter(created_at__gte=moment, created_at__lt=moment + timedelta(days=1))
    return sorted(set(found.order_by().values_list("model_name", "model_version").distinct()))


def _write(day: date, name: str, version: str) -> None:
    photos, found = measures.measured(day, name, version)
    if photos:
        record(day, full_name(name, version), photos, found)


def record(day: date, model: str, photos: int, found: Day) -> DriftDay | None:
    """Compare a day's measures with the reference, and write its row; None where another server was first.

    In the same transaction webhooks are told of what differs and was not told within a week, and its e-mail is due.
    """
    reference = reference_of(model, day) if photos >= MIN_PHOTOS else []
    newest = [*_before(model, day), found]
    findings = compare(newest, reference) if len(reference) >= MIN_REFERENCE_DAYS else []
    row = DriftDay(
        day=day,
        model=model,
        photos=photos,
        measures={name: astuple(each) for name, each in found.items()},
        findings=[each.as_json() for each in findings],
        reference_days=len(reference) if len(reference) >= MIN_REFERENCE_DAYS else 0,
    )
    try:
        with transaction.atomic():
            row.is_told = bool(findings) and not _is_known(row)
            if row.is_told and current.config().drift_email:
                row.mail_next_at = timezone.now()
            row.save()
            if row.is_told:
                names = ", ".join(each.name for each in findings)
                logger.warning("%s differs from its reference period on %s: %s.", model, day, names)
                outbox.drift_found({"day": day.isoformat(), "model": model, "findings": row.findings})
    except IntegrityError:
        return None
    return row


def reference_of(model: str, day: date) -> list[Day]:
    """Return the days to compare with: those of the chosen period, else the first ones of the version before `day`, at
    most MAX_REFERENCE_DAYS, that do not themselves differ.
    """
    rows = DriftDay.objects.filter(model=model, photos__gte=MIN_PHOTOS, day__lt=day).order_by("day")
    chosen = DriftReference.objects.filter(model=model).first()
    if chosen is not None:
        rows = rows.filter(day__gte=chosen.first, day__lte=chosen.last)
    else:
        rows = rows.filter(findings=[])[:MAX_REFERENCE_DAYS]
    return list(map(_measures, rows))


def _before(model: str, day: date) -> list[Day]:
    """Return the days before one that are compared together with it, in their order."""
    since = day - timedelta(days=_AGAIN_AFTER_DAYS)
    rows = DriftDay.objects.filter(model=model, photos__gte=MIN_PHOTOS, day__gte=since, day__lt=day).order_by("-day")
    return list(map(_measures, rows[: max(WINDOWS) - 1]))[::-1]


def _measures(row: DriftDay) -> Day:
    return {name: Measure(*each) for name, each in row.measures.items()}


def latest() -> list[DriftDay]:
    """Return the newest row of each model that answered in the last week."""
    since = datetime.now(UTC).date() - timedelta(days=_AGAIN_AFTER_DAYS)
    newest: dict[str, DriftDay] = {}
    for row in DriftDay.objects.filter(day__gte=since).order_by("-day"):
        newest.setdefault(row.model, row)
    return list(newest.values())


def _is_known(row: DriftDay) -> bool:
    """Return whether all that differs was told within the last days already."""
    since = row.day - timedelta(days=_AGAIN_AFTER_DAYS)
    told = DriftDay.objects.filter(model=row.model, day__gt=since, day__lt=row.day, is_told=True)
    return _names([row]) <= _names(told)


def _names(rows: Iterable[DriftDay]) -> set[str]:
    return {finding["name"] for row in rows for finding in row.findings}
