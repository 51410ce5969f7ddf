"""Calibrations of models: made from verdicts, kept, and withdrawn."""

from typing import Any

from django.db import transaction

from detection.learning.calibration import (
    LEAST_JUDGED,
    Calibrated,
    CalibrationError,
    Reliability,
    calibrate,
    needed,
    reliability,
)
from detection.learning.evidence import pooled
from detection.learning.proposals import evidence_for
from detection.models import Calibration
from detection.program import PROGRAM


def measure(model: tuple[str, str], evidence_of: str = "") -> tuple[Reliability, str]:
    """Return the reliability of a model's scores and what it was measured on. model: name and version; evidence_of: as
    in `proposals.evidence_for`. Raises CalibrationError, OperatingPointError.
    """
    by_class, source = evidence_for(model, evidence_of)
    evidence = pooled(by_class)
    if evidence is None:
        raise CalibrationError(f"{'@'.join(model).rstrip('@')}: {needed(0)}")
    return reliability(evidence), source


def make(model: tuple[str, str], evidence_of: str = "", least: int = LEAST_JUDGED) -> Calibration:
    """Write the next calibration of a model, which counts from then on.

    Raises CalibrationError, OperatingPointError.
    """
    by_class, source = evidence_for(model, evidence_of)
    try:
        made = calibrate(by_class, least)
    except CalibrationError as error:
        raise CalibrationError(f"{'@'.join(model).rstrip('@')}: {error}") from error
    with transaction.atomic():
        of_model = Calibration.objects.filter(model_name=model[0], model_version=model[1])
        newest = of_model.order_by("-number").values_list("number", flat=True).first() or 0
        return Calibration.objects.create(
            model_name=model[0], model_version=model[1], number=newest + 1, source=source, **_fields(made)
        )


def withdraw(model: tuple[str, str], number: int) -> Calibration:
    """Withdraw a calibration: the one before it counts, or none. Raises CalibrationError."""
    row = Calibration.objects.filter(model_name=model[0], model_version=model[1], number=number).first()
    if row is None:
        raise CalibrationError(
            f"{'@'.join(model).rstrip('@')} has no calibration {number}: see `{PROGRAM} calibration list`."
        )
    Calibration.objects.filter(pk=row.pk).update(is_withdrawn=True)
    return row


def _fields(made: Calibrated) -> dict[str, Any]:
    return {
        "judged": made.before.judged,
        "right": made.before.right,
        "error": made.before.error,
        "error_by_chance": made.before.by_chance,
        "error_after": made.after.error,
        "bins": [
            [one.low, one.high, one.judged, one.mean_score, one.right.value, one.right.low, one.right.high]
            for one in made.before.bins
        ],
        "scores": made.curve.scores.tolist(),
        "probabilities": made.curve.probabilities.tolist(),
    }
