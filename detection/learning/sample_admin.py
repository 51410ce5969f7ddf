"""Admin page of measuring samples: a form that draws one, and its strata."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from detection.inference.errors import InferenceError
from detection.inference.model_files import name_and_version
from detection.learning import sampling
from detection.learning.proposals import source_of
from detection.learning.sampling import SampleError
from detection.learning.strata import EDGES
from detection.models import Sample, SampleStratum
from detection.web.admin import ReadOnlyAdmin


class SampleForm(forms.ModelForm[Sample]):
    """Form that draws a sample of the default model's objects."""

    verdicts = forms.IntegerField(
        label=_("Objects to judge"), min_value=1, max_value=sampling.MAX_VERDICTS, initial=sampling.VERDICTS
    )
    newest = forms.IntegerField(
        label=_("Newest photos"), min_value=1, initial=sampling.NEWEST_PHOTOS, help_text=_("It is drawn from these.")
    )

    class Meta:
        model = Sample
        fields: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        """Draw the sample. Raises ValidationError with the reason why there is none."""
        given = super().clean() or {}
        if not self.errors:
            try:
                model = name_and_version(source_of())
                self.instance = sampling.draw_sample(model, given["verdicts"], given["newest"])
            except (SampleError, InferenceError) as error:
                raise ValidationError(str(error)) from error
        return given

    def _post_clean(self) -> None:
        """Leave the row as `clean` wrote it."""


class SampleStratumInline(ReadOnlyAdmin, admin.TabularInline[SampleStratum, Sample]):
    """Strata of a sample."""

    model = SampleStratum
    extra = 0
    can_delete = False
    fields = ("class_title", "probability", "population", "drawn")
    readonly_fields = fields

    @admin.display(description=_("Class"))
    def class_title(self, row: SampleStratum) -> str:
        """Return the class, or that it is for all others."""
        return row.class_name or str(_("All other classes"))

    @admin.display(description=_("Probability"))
    def probability(self, row: SampleStratum) -> str:
        """Return the band."""
        return f"{EDGES[row.band]:.1f} \N{EN DASH} {EDGES[row.band + 1]:.1f}"


@admin.register(Sample)
class SampleAdmin(admin.ModelAdmin[Sample]):
    """Admin of measuring samples, which are drawn and deleted, and never changed."""

    list_display = ("__str__", "model_title", "photos", "objects_kept", "created_at")
    form = SampleForm
    inlines = (SampleStratumInline,)

    @admin.display(description=_("Model"))
    def model_title(self, row: Sample) -> str:
        """Return NAME@VERSION. A column `model` would be the admin's own attribute of that name."""
        return row.model

    def get_fields(self, request: HttpRequest, obj: Sample | None = None) -> Any:
        """Ask for the sizes; show all of a sample that is there."""
        return ("verdicts", "newest") if obj is None else ("model_title", "photos", "objects_kept", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Sample | None = None) -> Any:
        """Return all fields of a sample that is there."""
        return () if obj is None else self.get_fields(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Sample | None) -> Any:
        """Return the strata of a sample that is there."""
        return () if obj is None else self.inlines

    def has_change_permission(self, request: HttpRequest, obj: Sample | None = None) -> bool:
        """Return False: samples never change."""
        return False

    def save_model(self, request: HttpRequest, obj: Sample, form: Any, change: bool) -> None:
        """Write nothing: the form has drawn the sample."""

    def delete_model(self, request: HttpRequest, obj: Sample) -> None:
        """Delete the sample, and take its photos out of the queue."""
        sampling.discard(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete the samples, and take their photos out of the queue."""
        for sample in queryset:
            sampling.discard(sample)
