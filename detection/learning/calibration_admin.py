"""Admin page of calibrations: reliability diagrams, a form that makes a curve, and an action that withdraws it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from detection.history.selectors import models_in_history
from detection.learning import calibrations
from detection.learning.calibration import CalibrationError
from detection.learning.points import OperatingPointError
from detection.models import Calibration
from detection.statistics.figures.words import percent_text
from detection.statistics.intervals import Interval
from detection.statistics.plots.diagonal import Point, reliability_diagram
from detection.statistics.plots.svg import Caption, written

_QUARTERS = (0, 25, 50, 75, 100)


class CalibrationForm(forms.ModelForm[Calibration]):
    """Form that makes a calibration of a model from people's verdicts."""

    of_model = forms.ChoiceField(label=_("Model"))

    class Meta:
        model = Calibration
        fields: tuple[str, ...] = ()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        if "of_model" in self.fields:
            known = ["@".join(model).rstrip("@") for model in models_in_history()]
            self.fields["of_model"] = forms.ChoiceField(label=_("Model"), choices=[(name, name) for name in known])

    def clean(self) -> dict[str, Any]:
        """Make the calibration. Raises ValidationError with the reason why there is none."""
        given = super().clean() or {}
        if not self.errors:
            name, _at, version = given["of_model"].partition("@")
            try:
                self.instance = calibrations.make((name, version))
            except (CalibrationError, OperatingPointError) as error:
                raise ValidationError(str(error)) from error
        return given

    def _post_clean(self) -> None:
        """Leave the row as `clean` wrote it."""


@admin.register(Calibration)
class CalibrationAdmin(admin.ModelAdmin[Calibration]):
    """Admin of calibrations, which are made and withdrawn, and neither changed nor deleted."""

    list_display = ("__str__", "judged", "error_text", "after_text", "is_withdrawn", "created_at")
    list_filter = ("model_name",)
    actions = ("withdraw",)
    form = CalibrationForm

    class Media:
        css = {"all": ["detection/css/learning/admin.css"]}

    def get_fields(self, request: HttpRequest, obj: Calibration | None = None) -> Any:
        """Ask for the model; show all of a calibration that is there."""
        shown = ("model_title", "number", "source", "judged", "right", "error_text", "after_text", "diagram")
        return ("of_model",) if obj is None else (*shown, "is_withdrawn", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Calibration | None = None) -> Any:
        """Return all fields of a calibration that is there."""
        return () if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Calibration | None = None) -> bool:
        """Return False for a row: it never changes; the right to change is that to withdraw."""
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Calibration, form: Any, change: bool) -> None:
        """Write nothing: the form has made the calibration."""

    def has_delete_permission(self, request: HttpRequest, obj: Calibration | None = None) -> bool:
        """Return False: a calibration is withdrawn."""
        return False

    @admin.display(description=_("Model"))
    def model_title(self, row: Calibration) -> str:
        """Return NAME@VERSION. A column `model` would be the admin's own attribute of that name."""
        return row.model

    @admin.display(description=_("Calibration error"), ordering="error")
    def error_text(self, row: Calibration) -> str:
        """Return the expected calibration error of the raw scores, and what chance makes of it."""
        sentence = gettext("%(error)s; scores that are right would show %(chance)s with as few verdicts")
        return sentence % {"error": percent_text(row.error), "chance": percent_text(row.error_by_chance)}

    @admin.display(description=_("Once calibrated"), ordering="error_after")
    def after_text(self, row: Calibration) -> str:
        """Return the expected calibration error of calibrated scores."""
        return percent_text(row.error_after)

    @admin.display(description=_("Reliability"))
    def diagram(self, row: Calibration) -> SafeString:
        """Draw the reliability diagram of the raw scores with the curve, and list its bins."""
        caption = Caption(
            "reliability",
            gettext("Share of right objects by score"),
            gettext("Dots on the dashed line are scores that are right as often as they say. The line is the curve."),
        )
        points = [_point(one) for one in row.bins]
        ends = [(0.0, row.probabilities[0]), *zip(row.scores, row.probabilities, strict=True)]
        curve = [*ends, (1.0, row.probabilities[-1])]
        scale = [f"{number_format(at)}\N{NO-BREAK SPACE}%" for at in _QUARTERS]
        drawn = reliability_diagram(caption, points, curve, scale)
        lines = format_html_join("", "<li>{}</li>", ((point.tooltip,) for point in points))
        return format_html('{}<p>{}</p><ul class="plot-bins">{}</ul>', written(drawn), caption.description, lines)

    @admin.action(description=_("Withdraw the chosen calibrations"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Calibration]) -> None:
        """Withdraw calibrations: those before them count."""
        count = queryset.update(is_withdrawn=True)
        sentence = ngettext("%(count)s calibration is withdrawn.", "%(count)s calibrations are withdrawn.", count)
        self.message_user(request, sentence % {"count": count}, messages.SUCCESS)


def _point(row: list[float]) -> Point:
    low, high, judged, score, right, right_low, right_high = row
    sentence = gettext("Score %(low)s to %(high)s: %(right)s right (%(from)s to %(to)s) of %(judged)s judged")
    said = {
        "low": f"{number_format(round(low * 100))}\N{NO-BREAK SPACE}%",
        "high": f"{number_format(round(high * 100))}\N{NO-BREAK SPACE}%",
        "right": percent_text(right),
        "from": percent_text(right_low),
        "to": percent_text(right_high),
        "judged": judged,
    }
    return Point(low, high, score, right, Interval(right_low, right_high), sentence % said)
