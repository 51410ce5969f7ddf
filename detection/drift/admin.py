"""Admin pages of drift: days that were compared, and reference periods that operators choose."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from detection.models import DriftDay, DriftReference
from detection.web.admin import ReadOnlyAdmin


@admin.register(DriftDay)
class DriftDayAdmin(ReadOnlyAdmin, admin.ModelAdmin[DriftDay]):
    """Admin of the days of models; a deleted one is measured again only if it is the newest."""

    list_display = ("day", "model", "photos", "reference_days", "what_differs")
    list_filter = ("model",)

    @admin.display(description=_("What differs"))
    def what_differs(self, row: DriftDay) -> str:
        """Return the names of the measures that differ."""
        return ", ".join(each["name"] for each in row.findings)


class DriftReferenceForm(forms.ModelForm[DriftReference]):
    """Form of a reference period."""

    class Meta:
        model = DriftReference
        fields = ("model", "first", "last")

    def clean(self) -> dict[str, Any]:
        """Return the values; the period ends after it begins."""
        given = super().clean() or {}
        if given.get("first") and given.get("last") and given["first"] > given["last"]:
            raise forms.ValidationError(_("The last day lies before the first one."))
        return given


@admin.register(DriftReference)
class DriftReferenceAdmin(admin.ModelAdmin[DriftReference]):
    """Admin of chosen reference periods; each has 14 days with 100 photos or more."""

    form = DriftReferenceForm
    list_display = ("model", "first", "last")
