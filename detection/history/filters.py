"""Filters of detections, shared by the API, the history page and exports."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django_filters
from django import forms
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from detection.accounts.access import caller_of, limits
from detection.models import Detection, ListEntry

# The photos of a batch at most (`batches.MAX_PHOTOS`), and no more than a database takes in one condition.
FEW = 2_000
_OF_OBJECTS = ("class", "min_probability", "reviewed", "verdict")


class ZoneField(forms.CharField):
    """A time zone by its IANA name; empty: UTC."""

    def clean(self, value: Any) -> ZoneInfo | None:
        """Raise ValidationError for a name that is not a time zone."""
        name = super().clean(value)
        if not name:
            return None
        try:
            return ZoneInfo(name)
        # ZoneInfo looks the name up as a file: it may be that of a folder, too long, or no path at all.
        except (KeyError, ValueError, OSError) as error:
            raise forms.ValidationError(
                _("Write a time zone as Europe/Berlin is written, or leave it out for UTC.")
            ) from error


class ZoneFilter(django_filters.CharFilter):
    """Filter that only sets the time zone of the other filters' days."""

    field_class = ZoneField


class DetectionFilter(django_filters.FilterSet):
    """Filters of detections.

    class: of a reported object; min_probability: of a reported object (of that class, when both are given);
    date_from and date_to: days, both included; zone: in which they are days, UTC if left out; source: of the photo;
    batch: the id of its batch; reviewed: 1 for finished reviews, 0 for the others;
    verdict: rejected, changed (another class or box) or added, for detections with such an object (of that class);
    model: the one that made it, NAME or NAME@VERSION; engine: that ran the model.

    All but `batch`, `model` and `engine` is looked up in the list entries (`indexing.py`) where a filter is about
    objects, for no index of the detections themselves could find the few that match among a million.
    """

    min_probability = django_filters.NumberFilter(method="apply_together", min_value=0, max_value=1)
    date_from = django_filters.DateFilter(method="apply_together")
    date_to = django_filters.DateFilter(method="apply_together")
    zone = ZoneFilter(method="apply_together", max_length=64)
    source = django_filters.ChoiceFilter(choices=Detection.Source.choices, method="apply_together")
    batch = django_filters.UUIDFilter(method="apply_together")
    model = django_filters.CharFilter(method="apply_together", max_length=300)
    engine = django_filters.CharFilter(method="apply_together", max_length=32)
    reviewed = django_filters.ChoiceFilter(choices=(("0", "not reviewed"), ("1", "reviewed")), method="apply_together")
    verdict = django_filters.ChoiceFilter(
        choices=(("rejected", "a rejected object"), ("changed", "a changed object"), ("added", "an added object")),
        method="apply_together",
    )

    class Meta:
        model = Detection
        fields: list[str] = []

    def apply_together(self, queryset: QuerySet[Detection], _name: str, _value: Any) -> QuerySet[Detection]:
        """Return the queryset unchanged: `filter_queryset` applies all filters to the same row, which one index
        serves.
        """
        return queryset

    def filter_queryset(self, queryset: QuerySet[Detection]) -> QuerySet[Detection]:
        """Apply all filters as one condition."""
        queryset = super().filter_queryset(queryset)
        given = self.form.cleaned_data
        conditions = _of_detections(given) | _of_engine(given)
        few = _few(given)
        if not any(given.get(name) not in {None, ""} for name in _OF_OBJECTS):
            conditions |= _common(given, "") | ({} if few is None else {"pk__in": few})
            return queryset.filter(**conditions)
        conditions |= _common(given, "entries__") | _of_objects(given)
        if few is not None:
            conditions["entries__detection__in"] = few
        if self.request is not None and (owner_id := limits(caller_of(self.request.user))) is not None:
            conditions["entries__owner_id"] = owner_id
        # Pages are read in the order of these two, which is that of the index (`pagination.page_of`).
        return queryset.filter(**conditions).annotate(
            listed_at=F("entries__created_at"), listed_id=F("entries__detection_id")
        )


def _few(given: dict[str, Any]) -> list[int] | None:
    """Return the detections that the rarest of the filters leaves, if at most FEW; None if no filter is rare.

    An index in the order of a list finds the page of a frequent value at once, and scans all of a million for
    a rare one. The query planner cannot tell which is which, so possibly rare values are queried first.
    """
    found: set[int] | None = None
    for keys in _narrowing(given):
        some = list(keys[: FEW + 1])
        if len(some) <= FEW:
            found = set(some) if found is None else found & set(some)
    return None if found is None else sorted(found)


def _narrowing(given: dict[str, Any]) -> Iterator[QuerySet[Any, int]]:
    """Yield, for each possibly rare filter, the keys of its detections, served by one index."""
    detections = Detection.objects.order_by().values_list("pk", flat=True)
    if of_detections := _of_detections(given):
        yield detections.filter(**of_detections)
    if of_engine := _of_engine(given):
        yield detections.filter(**of_engine)
    if given.get("source"):
        yield detections.filter(source=given["source"])
    if given.get("min_probability") is not None:
        of_objects = _of_objects({name: given.get(name) for name in ("class", "min_probability")})
        rows = ListEntry.objects.filter(**{name.removeprefix("entries__"): one for name, one in of_objects.items()})
        yield rows.order_by().values_list("detection_id", flat=True)


def _of_detections(given: dict[str, Any]) -> dict[str, Any]:
    """Return conditions on columns that only detections have: their batch, and all versions of a model, or one."""
    conditions: dict[str, Any] = {}
    if given.get("batch"):
        conditions["batch_item__batch__uuid"] = given["batch"]
    if given.get("model"):
        name, _, version = given["model"].partition("@")
        conditions |= {"model_name": name, **({"model_version": version} if version else {})}
    return conditions


def _of_engine(given: dict[str, Any]) -> dict[str, Any]:
    """Return the condition on the engine, also a column of detections only; apart, because its index is another one."""
    return {"engine": given["engine"]} if given.get("engine") else {}


def _common(given: dict[str, Any], row: str) -> dict[str, Any]:
    """Return conditions on columns shared by detections and entries. row: the lookup of them."""
    conditions: dict[str, Any] = {}
    if given.get("date_from"):
        conditions[f"{row}created_at__gte"] = _midnight(given["date_from"], given.get("zone"))
    if given.get("date_to") and given["date_to"] < date.max:
        conditions[f"{row}created_at__lt"] = _midnight(given["date_to"] + timedelta(days=1), given.get("zone"))
    if given.get("source"):
        conditions[f"{row}source"] = given["source"]
    return conditions


def _of_objects(given: dict[str, Any]) -> dict[str, Any]:
    """Return conditions on the entry of a class, or on the one for all objects."""
    conditions: dict[str, Any] = {"entries__class_name": given.get("class") or ""}
    if given.get("min_probability") is not None:
        # 0 is the highest of no objects.
        lowest = float(given["min_probability"])
        conditions["entries__highest__gte" if lowest else "entries__highest__gt"] = lowest
    is_reviewed = given["reviewed"] == "1" if given.get("reviewed") else None
    if given.get("verdict"):
        # The index of corrections is far shorter than that of reviews, which SQLite's planner ignores; with
        # this condition it has no choice.
        conditions[f"entries__has_{given['verdict']}"] = True
        conditions |= {} if is_reviewed is None else {"entries__is_reviewed": is_reviewed}
    elif is_reviewed is not None:
        # `IN`, because Django turns a comparison into `is_reviewed` or `NOT is_reviewed`, which SQLite finds in no
        # index.
        conditions["entries__is_reviewed__in"] = [is_reviewed]
    return conditions


def _midnight(day: date, zone: ZoneInfo | None) -> datetime:
    """Return the moment in UTC at which a day begins in a zone."""
    try:
        return datetime.combine(day, time.min, zone or UTC).astimezone(UTC)
    except OverflowError:
        # The first and the last day that there are begin elsewhere a day before or after.
        return datetime.combine(day, time.min, UTC)


# `class` is a keyword of Python, but the right word in an address.
DetectionFilter.base_filters["class"] = django_filters.CharFilter(method="apply_together", max_length=100)
