"""Calibrations: curves from the scores of a model's version to the share of objects that are right."""

from bisect import bisect_right

from django.db import models
from django.utils.translation import gettext_lazy as _


class Calibration(models.Model):
    """Numbered isotonic curve of a model's version; the highest number of a version counts that is not
    withdrawn.

    Never changed otherwise. source: what it was made from. judged, right: objects. error: expected calibration error
    of the raw scores, error_by_chance: what perfect ones would show with as few verdicts, error_after: that of
    calibrated scores of photos that the curve was not made of; 0 to 1. bins: of the raw scores, `[low, high, judged,
    mean score, share right, low end, high end]` each. scores, probabilities: knots of the curve, both rising.
    """

    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=64, blank=True)
    number = models.PositiveIntegerField(help_text=_("Of the calibrations of this version."))
    source = models.CharField(max_length=200, help_text=_("Verdicts that it was made from."))
    judged = models.PositiveIntegerField(_("judged objects"))
    right = models.PositiveIntegerField()
    error = models.FloatField(_("calibration error"))
    error_by_chance = models.FloatField()
    error_after = models.FloatField(_("error once calibrated"))
    bins = models.JSONField()
    scores = models.JSONField()
    probabilities = models.JSONField()
    is_withdrawn = models.BooleanField(_("withdrawn"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("calibration")
        verbose_name_plural = _("calibrations")
        ordering = ["model_name", "model_version", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["model_name", "model_version", "number"], name="one_row_per_calibration")
        ]

    def __str__(self) -> str:
        return f"{self.model} calibration {self.number}"

    @property
    def model(self) -> str:
        """NAME@VERSION of the model; the name alone where it has no version."""
        return f"{self.model_name}@{self.model_version}".rstrip("@")

    def probability_of(self, score: float) -> float:
        """Return the calibrated probability of a score, 0 to 1: linear between the knots, constant beyond them."""
        after = bisect_right(self.scores, score)
        if after in {0, len(self.scores)}:
            return float(self.probabilities[min(after, len(self.scores) - 1)])
        (x0, x1), (y0, y1) = self.scores[after - 1 : after + 1], self.probabilities[after - 1 : after + 1]
        return float(y0 + (y1 - y0) * (score - x0) / (x1 - x0))


def calibration_of(model_name: str, model_version: str) -> Calibration | None:
    """Return the calibration of a model's version that counts; None where there is none."""
    rows = Calibration.objects.filter(model_name=model_name, model_version=model_version, is_withdrawn=False)
    return rows.order_by("-number").first()
