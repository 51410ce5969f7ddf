"""Admin page of operating points: their figures, a form that proposes one, and the switch to another."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.inference.errors import InferenceError
from detection.learning import points
from detection.learning.goals import GoalError, goal_of
from detection.learning.points import OperatingPointError
from detection.learning.proposals import propose_from_verdicts
from detection.models import OperatingPoint, PointClass


class ProposalForm(forms.ModelForm[OperatingPoint]):
    """Form that proposes a point for the default model from people's verdicts."""

    class Meta:
        model = OperatingPoint
        fields = ["name", "goal"]
        help_texts = {"goal": _("precision:0.95, false:3 (false objects a hundred photos) or f1.")}

    def clean(self) -> dict[str, Any]:
        """Propose the point. Raises ValidationError with the reason why there is none."""
        given = super().clean() or {}
        if not self.errors:
            try:
                self.instance = propose_from_verdicts(given["name"], goal_of(given["goal"]))
            except (OperatingPointError, GoalError, InferenceError) as error:
                raise ValidationError(str(error)) from error
        return given

    def _post_clean(self) -> None:
        """Leave the row as `clean` wrote it."""


class PointClassInline(admin.TabularInline[PointClass, OperatingPoint]):
    """Thresholds of a point and the figures behind them."""

    model = PointClass
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: points never change."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: points never change."""
        return False


@admin.register(OperatingPoint)
class OperatingPointAdmin(admin.ModelAdmin[OperatingPoint]):
    """Admin of operating points, which are proposed, tried and activated, and neither changed nor deleted."""

    list_display = ("__str__", "model_title", "goal", "source", "is_active", "created_at", "activated_at")
    list_filter = ("is_active", "model_name")
    actions = ("try_out", "activate", "roll_back")
    inlines = (PointClassInline,)
    form = ProposalForm

    @admin.display(description=_("Model"))
    def model_title(self, row: OperatingPoint) -> str:
        """Return NAME@VERSION. A column `model` would be the admin's own attribute of that name."""
        return row.model

    def get_fields(self, request: HttpRequest, obj: OperatingPoint | None = None) -> Any:
        """Ask for a name and a goal; show all of a point that is there."""
        shown = (
            "name",
            "number",
            "model_title",
            "goal",
            "source",
            "threshold",
            "is_active",
            "created_at",
            "activated_at",
        )
        return ("name", "goal") if obj is None else shown

    def get_readonly_fields(self, request: HttpRequest, obj: OperatingPoint | None = None) -> Any:
        """Return all fields of a point that is there."""
        return () if obj is None else self.get_fields(request, obj)

    def get_inlines(self, request: HttpRequest, obj: OperatingPoint | None) -> Any:
        """Return the thresholds of a point that is there."""
        return () if obj is None else self.inlines

    def save_model(self, request: HttpRequest, obj: OperatingPoint, form: Any, change: bool) -> None:
        """Write nothing: the form has proposed the point, and one that is there never changes."""

    def has_delete_permission(self, request: HttpRequest, obj: OperatingPoint | None = None) -> bool:
        """Return False: detections name their points."""
        return False

    @admin.action(description=_("Say what the chosen point would change"), permissions=["view"])
    def try_out(self, request: HttpRequest, queryset: QuerySet[OperatingPoint]) -> None:
        """Count what the newest detections would report through the point."""
        if (point := self._only(request, queryset)) is None:
            return
        trial = points.try_out(point)
        said = {"point": point, "detections": trial.detections, "changed": trial.changed}
        said |= {"before": trial.before, "after": trial.after}
        sentence = gettext(
            "The point %(point)s would change %(changed)s of %(detections)s detections: %(after)s objects reported "
            "instead of %(before)s."
        )
        self.message_user(request, sentence % said)

    @admin.action(description=_("Let the chosen point decide"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[OperatingPoint]) -> None:
        """Make the point the active one of its model."""
        if (point := self._only(request, queryset)) is not None:
            points.activate(point)
            sentence = gettext("The point %(point)s is active; every server goes by it within seconds.")
            self.message_user(request, sentence % {"point": point}, messages.SUCCESS)

    @admin.action(description=_("Go back to the point before"), permissions=["change"])
    def roll_back(self, request: HttpRequest, queryset: QuerySet[OperatingPoint]) -> None:
        """Let the point decide that the chosen, active one replaced."""
        point = self._only(request, queryset)
        if point is None:
            return
        if not point.is_active:
            self.message_user(request, gettext("Choose the active point, to go back from it."), messages.ERROR)
            return
        before = points.roll_back((point.model_name, point.model_version))
        sentence = gettext("The model's own threshold decides again.")
        if before is not None:
            sentence = gettext("The point %(point)s is active; every server goes by it within seconds.") % {
                "point": before
            }
        self.message_user(request, sentence, messages.SUCCESS)

    def _only(self, request: HttpRequest, queryset: QuerySet[OperatingPoint]) -> OperatingPoint | None:
        rows = list(queryset)
        if len(rows) == 1:
            return rows[0]
        self.message_user(request, gettext("Choose one point."), messages.ERROR)
        return None
