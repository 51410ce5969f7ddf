"""Filters of detections, shared by the API, the history page and exports."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django_filters
from django import forms
from django.core.validators import MaxLengthValidator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field

from detection.accounts.access import caller_of, limits
from detection.history import photo_names
from detection.models import DetectedObject, Detection, ListEntry, ShadowRun
from detection.models.detections import DetectedObjectQuerySet

# The photos of a batch at most (`batches.MAX_PHOTOS`), and no more than a database takes in one condition.
FEW = 2_000
# Photos of one name often were sent on one day, perhaps long ago, so that the order of the list finds none for long.
FEW_NAMED = 10_000
# Two classes that are each too frequent to be few may hardly ever be together.
FEW_TOGETHER = 10_000
_OF_OBJECTS = ("class", "min_probability", "max_probability", "reviewed", "verdict")
MAX_CLASSES, CLASS_NAME_LENGTH = 10, 100


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


class ClassesField(forms.MultipleChoiceField):
    """Names of classes: a parameter that may come several times, or one text."""

    def to_python(self, value: Any) -> list[str]:
        """Return the names that are not empty."""
        given = [value] if isinstance(value, str) else value or []
        return list(dict.fromkeys(str(name) for name in given if name))

    def validate(self, value: list[str]) -> None:
        """Raise ValidationError for too many names, or one that is too long. An unknown name finds nothing."""
        if len(value) > MAX_CLASSES:
            raise forms.ValidationError(_("Give at most %(count)s classes."), params={"count": MAX_CLASSES})
        for name in value:
            MaxLengthValidator(CLASS_NAME_LENGTH)(name)


# Of one value: drf-spectacular makes the array.
@extend_schema_field({"type": "string", "maxLength": CLASS_NAME_LENGTH})
class ClassesFilter(django_filters.MultipleChoiceFilter):
    """Filter by several classes."""

    field_class = ClassesField


class DetectionFilter(django_filters.FilterSet):
    """Filters of detections.

    class: of an object as people have corrected it, of each one where several are given; not_class: of none;
    min_probability: of the most probable object (of the first class, when both are given); max_probability: then one
    object lies between the two;
    name: a part of the photo's name (`photo_names.py`); album: the id of the album that it lies in;
    date_from and date_to: days, both included; zone: in which they are days, UTC if left out; source: of the photo;
    batch: the id of its batch; reviewed: 1 for finished reviews, 0 for the others;
    verdict: rejected, changed (another class or box) or added, for detections with such an object (of that class);
    model: the one that made it, NAME or NAME@VERSION; engine: that ran the model; shadow: a shadow model, NAME or
    NAME@VERSION, that found other objects in the photo; blind: 1 for reviews that were finished before the
    model's boxes were shown.

    All but `batch`, `model` and `engine` is looked up in the list entries (`indexing.py`) where a filter is about
    objects, for no index of the detections themselves could find the few that match among a million.
    """

    min_probability = django_filters.NumberFilter(method="apply_together", min_value=0, max_value=1)
    max_probability = django_filters.NumberFilter(method="apply_together", min_value=0, max_value=1)
    not_class = ClassesFilter(method="apply_together")
    name = django_filters.CharFilter(method="apply_together", max_length=255)
    album = django_filters.UUIDFilter(method="apply_together")
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
    shadow = django_filters.CharFilter(method="apply_together", max_length=300)
    blind = django_filters.ChoiceFilter(choices=(("1", "reviewed blindly"),), method="apply_together")

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
        if not set(given.get("class") or ()).isdisjoint(given.get("not_class") or ()):
            return queryset.none()
        queryset = queryset.filter(*_tested(given), **(_of_detections(given) | _of_engine(given)))
        few = _few(given)
        if not _is_about_objects(given):
            return queryset.filter(*_common(given, ""), *([] if few is None else [Q(pk__in=few)]))
        conditions = _of_objects(given)
        if few is not None:
            conditions["entries__detection__in"] = few
        if self.request is not None and (owner_id := limits(caller_of(self.request.user))) is not None:
            conditions["entries__owner_id"] = owner_id
        # One `filter`, so that all of it is about the same entry. Pages are read in the order of these two, which is
        # that of the index (`pagination.page_of`).
        return queryset.filter(*_common(given, "entries__"), **conditions).annotate(
            listed_at=F("entries__created_at"), listed_id=F("entries__detection_id")
        )


def _is_about_objects(given: dict[str, Any]) -> bool:
    return any(given.get(name) not in (None, "", []) for name in _OF_OBJECTS)


def _few(given: dict[str, Any]) -> list[int] | None:
    """Return the detections that the rarest of the filters leaves, if at most FEW; None if no filter is rare.

    An index in the order of a list finds the page of a frequent value at once, and scans all of a million for
    a rare one. The query planner cannot tell which is which, so possibly rare values are queried first.
    """
    found: set[int] | None = None
    for keys, most in _narrowing(given):
        some = list(keys[: most + 1])
        if len(some) <= most:
            found = set(some) if found is None else found & set(some)
    return None if found is None else sorted(found)


def _narrowing(given: dict[str, Any]) -> Iterator[tuple[QuerySet[Any, int], int]]:
    """Yield, for each possibly rare filter, the keys of its detections, served by one index, and how many are few."""
    detections = Detection.objects.order_by().values_list("pk", flat=True)
    if of_detections := _of_detections(given):
        yield detections.filter(**of_detections), FEW
    if of_engine := _of_engine(given):
        yield detections.filter(**of_engine), FEW
    if given.get("source"):
        yield detections.filter(source=given["source"]), FEW
    if given.get("name"):
        # Each photo has a detection, so as many photos have no fewer.
        yield detections.filter(photo__in=photo_names.newest_called(given["name"], FEW_NAMED + 1)), FEW_NAMED
    if given.get("shadow"):
        yield _disagreements(given).values_list("detection_id", flat=True), FEW_NAMED
    for name in _several_classes(given):
        of_class = ListEntry.objects.filter(class_name=name, highest__gt=0)
        yield of_class.order_by().values_list("detection_id", flat=True), FEW_TOGETHER
    for entries in _of_entries(given):
        yield entries.values_list("detection_id", flat=True), FEW


def _of_entries(given: dict[str, Any]) -> Iterator[QuerySet[ListEntry]]:
    """Yield the entries, of the first class or of all objects, that one index finds by one of the filters."""
    of_class = ListEntry.objects.filter(class_name=next(iter(given.get("class") or ()), "")).order_by()
    if given.get("min_probability") is not None:
        yield of_class.filter(highest__gte=float(given["min_probability"]), highest__gt=0.0)
    if given.get("max_probability") is not None:
        # The index begins with whether it is reviewed.
        yield of_class.filter(lowest__lte=float(given["max_probability"]), is_reviewed__in=[False, True])
    if given.get("verdict") and given.get("min_probability") is not None:
        # Alone, the index of corrections is in the order of the list; so it is here, or the planner takes another one.
        yield of_class.filter(**{f"has_{given['verdict']}": True}).order_by("-created_at", "-detection_id")


def _several_classes(given: dict[str, Any]) -> list[str]:
    """Return the classes where there are several: the rarest of them is to be asked for first."""
    return list(given["class"]) if len(given.get("class") or ()) > 1 else []


def _tested(given: dict[str, Any]) -> Iterator[Q]:
    """Yield conditions that are tested on one detection after the other, in the order of the list."""
    entries = ListEntry.objects.filter(detection=OuterRef("pk"))
    for name in _several_classes(given)[1:]:
        yield Q(Exists(entries.filter(class_name=name, highest__gt=0)))
    for name in given.get("not_class") or ():
        yield ~Q(Exists(entries.filter(class_name=name, highest__gt=0)))
    if given.get("shadow"):
        yield Q(Exists(_disagreements(given).filter(detection=OuterRef("pk"))))
    if given.get("name"):
        yield photo_names.each_called(given["name"])
    if given.get("max_probability") is not None:
        yield Q(Exists(_objects_between(given).reported().filter(detection=OuterRef("pk"))))


def _disagreements(given: dict[str, Any]) -> QuerySet[ShadowRun]:
    """Return the comparisons in which the shadow model has found other objects, in no order."""
    return ShadowRun.objects.filter(disagreements__gt=0, **_model(given["shadow"])).order_by()


def _model(reference: str) -> dict[str, str]:
    """Return conditions on the columns of all versions of a model, or of one."""
    name, _, version = reference.partition("@")
    return {"model_name": name, **({"model_version": version} if version else {})}


def _objects_between(given: dict[str, Any]) -> DetectedObjectQuerySet:
    """Return the objects of the first class, if there is one, with a probability between the two."""
    objects = DetectedObject.objects.filter(probability__lte=float(given["max_probability"]))
    if given.get("min_probability") is not None:
        objects = objects.filter(probability__gte=float(given["min_probability"]))
    return objects.filter(class_name=given["class"][0]) if given.get("class") else objects


def _of_detections(given: dict[str, Any]) -> dict[str, Any]:
    """Return conditions on what only detections have: their batch, album, all versions of a model, or one, and whether
    their review was blind.
    """
    conditions: dict[str, Any] = {}
    if given.get("batch"):
        conditions["batch_item__batch__uuid"] = given["batch"]
    if given.get("album"):
        conditions["album_photos__album__uuid"] = given["album"]
    if given.get("model"):
        conditions |= _model(given["model"])
    if given.get("blind"):
        conditions["review__is_blind"] = True
    return conditions


def _of_engine(given: dict[str, Any]) -> dict[str, Any]:
    """Return the condition on the engine, also a column of detections only; apart, because its index is another one."""
    return {"engine": given["engine"]} if given.get("engine") else {}


def _common(given: dict[str, Any], row: str) -> Iterator[Q]:
    """Yield conditions on columns shared by detections and entries. row: the lookup of them."""
    if given.get("date_from"):
        yield Q(**{f"{row}created_at__gte": _midnight(given["date_from"], given.get("zone"))})
    if given.get("date_to") and given["date_to"] < date.max:
        yield Q(**{f"{row}created_at__lt": _midnight(given["date_to"] + timedelta(days=1), given.get("zone"))})
    if given.get("source"):
        yield Q(**{f"{row}source": given["source"]})


def _of_objects(given: dict[str, Any]) -> dict[str, Any]:
    """Return conditions on the entry of a class, or on the one for all objects."""
    conditions: dict[str, Any] = {"entries__class_name": next(iter(given.get("class") or ()), "")}
    if given.get("min_probability") is not None:
        # 0 is the highest of no objects.
        lowest = float(given["min_probability"])
        conditions["entries__highest__gte" if lowest else "entries__highest__gt"] = lowest
    if given.get("max_probability") is not None:
        conditions["entries__lowest__lte"] = float(given["max_probability"])
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
    if given.get("class") and not given.get("verdict") and given.get("min_probability") is None:
        # Where people have rejected or relabelled all objects of a class, its entry stays, with 0.
        conditions["entries__highest__gt"] = 0.0
    return conditions


def _midnight(day: date, zone: ZoneInfo | None) -> datetime:
    """Return the moment in UTC at which a day begins in a zone."""
    try:
        return datetime.combine(day, time.min, zone or UTC).astimezone(UTC)
    except OverflowError:
        # The first and the last day that there are begin elsewhere a day before or after.
        return datetime.combine(day, time.min, UTC)


# `class` is a keyword of Python, but the right word in an address.
DetectionFilter.base_filters["class"] = ClassesFilter(method="apply_together")
