"""Admin page of training sets, their splits, and the models that were measured on them."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from detection.models import TrainingMeasurement, TrainingSet
from detection.training import service
from detection.web.admin import ReadOnlyAdmin


class MeasurementInline(ReadOnlyAdmin, admin.TabularInline[TrainingMeasurement, TrainingSet]):
    """Models that were measured on a training set."""

    model = TrainingMeasurement
    extra = 0
    can_delete = False
    fields = ("model_name", "model_version", "photos", "objects_counted", "coco_ap", "coco_ap50", "created_at")
    readonly_fields = fields


@admin.register(TrainingSet)
class TrainingSetAdmin(ReadOnlyAdmin, admin.ModelAdmin[TrainingSet]):
    """Admin of training sets, which commands make, and which never change."""

    list_display = ("__str__", "split_counts", "licence", "created_at")
    fields = ("name", "number", "licence", "split_counts", "missing", "classes", "sha256", "created_at")
    inlines = (MeasurementInline,)

    def get_readonly_fields(self, request: Any, obj: TrainingSet | None = None) -> Any:
        """Return all fields."""
        return self.fields

    @admin.display(description=_("Photos"))
    def split_counts(self, row: TrainingSet) -> str:
        """Return the number of photos in each split."""
        return ", ".join(f"{split} {count}" for split, count in service.counts(row).items())

    @admin.display(description=_("Deleted since"))
    def missing(self, row: TrainingSet) -> int:
        """Return how many photos are gone."""
        return service.missing(row)
