"""How detections are chosen: the same filters for the API, the history page and exports."""

from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from detection.models import DetectedObject, Detection


class DetectionFilter(django_filters.FilterSet):
    """class: of a reported object; min_probability: of a reported object (of that class, when both are given);
    date_from and date_to: days, both included, in the server's time zone; source: how the photo came in;
    batch: the id of the batch that it came in with; model: the one that made it, NAME or NAME@VERSION.
    """

    min_probability = django_filters.NumberFilter(method="take_together", min_value=0, max_value=1)
    date_from = django_filters.DateFilter(method="take_from")
    date_to = django_filters.DateFilter(method="take_to")
    source = django_filters.ChoiceFilter(choices=Detection.Source.choices)
    batch = django_filters.UUIDFilter(field_name="batch_item__batch__uuid")
    model = django_filters.CharFilter(method="take_model", max_length=300)

    class Meta:
        model = Detection
        fields: list[str] = []

    def take_from(self, queryset: QuerySet[Detection], _name: str, day: date) -> QuerySet[Detection]:
        """From the first moment of a day; a plain range of `created_at`, which its index serves."""
        return queryset.filter(created_at__gte=_midnight(day))

    def take_to(self, queryset: QuerySet[Detection], _name: str, day: date) -> QuerySet[Detection]:
        """To the last moment of a day."""
        if day == date.max:
            return queryset
        return queryset.filter(created_at__lt=_midnight(day + timedelta(days=1)))

    def take_model(self, queryset: QuerySet[Detection], _name: str, model: str) -> QuerySet[Detection]:
        """All versions of a model, or one."""
        name, _, version = model.partition("@")
        return queryset.filter(model_name=name, **({"model_version": version} if version else {}))

    def take_together(self, queryset: QuerySet[Detection], _name: str, _value: Any) -> QuerySet[Detection]:
        """Left to `filter_queryset`: class and probability must be true of the same object."""
        return queryset

    def filter_queryset(self, queryset: QuerySet[Detection]) -> QuerySet[Detection]:
        """Apply the filters one by one, then class and probability as one condition."""
        queryset = super().filter_queryset(queryset)
        class_name = self.form.cleaned_data.get("class")
        min_probability = self.form.cleaned_data.get("min_probability")
        if not class_name and min_probability is None:
            return queryset
        objects = DetectedObject.objects.filter(detection=OuterRef("pk"), probability__gt=F("detection__threshold"))
        if class_name:
            objects = objects.filter(class_name=class_name)
        if min_probability is not None:
            objects = objects.filter(probability__gte=min_probability)
        return queryset.filter(Exists(objects))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


# `class` is a keyword of Python, but the right word in an address.
DetectionFilter.base_filters["class"] = django_filters.CharFilter(method="take_together", max_length=100)
