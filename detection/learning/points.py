"""Operating points: proposed from evidence, tried on the history, activated and rolled back."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from detection.inference.types import Thresholds, is_reported
from detection.learning.estimate import Evidence, Figures, figures_at
from detection.learning.evidence import pooled
from detection.learning.goals import Goal, choose
from detection.models import DetectedObject, Detection, OperatingPoint, PointClass
from detection.program import PROGRAM

# With fewer, thresholds of classes do worse than one for all (docs/review.md).
LEAST_VERDICTS = 200
TRIED_DETECTIONS = 10_000
_EXAMPLES = 5
_CHUNK = 500


class OperatingPointError(Exception):
    """The operation is impossible with this point; the message says what to do."""


def propose(
    model: tuple[str, str],
    name: str,
    goal: Goal,
    evidence: Mapping[str, Evidence],
    *,
    source: str,
    own_threshold: float,
    least: int = LEAST_VERDICTS,
) -> OperatingPoint:
    """Write the next point of a name, not active yet. model: name and version. evidence: by class, "" for several that
    are not told apart.

    Classes with at least `least` judged objects get a threshold of their own; the others share one, from all of
    theirs. Where the goal is out of reach the model's `own_threshold` stays. Raises OperatingPointError.
    """
    if not evidence:
        raise OperatingPointError(
            f"Nobody has judged objects of {'@'.join(model).rstrip('@')} yet. Review some of its photos, or give "
            "annotated ones with --dataset."
        )
    own = {class_name: each for class_name, each in evidence.items() if class_name and len(each) >= least}
    rest = pooled({class_name: each for class_name, each in evidence.items() if class_name not in own})
    rows = {class_name: _row(class_name, each, goal, own_threshold) for class_name, each in own.items()}
    if rest is not None:
        rows[""] = _row("", rest, goal, own_threshold)
    with transaction.atomic():
        named = OperatingPoint.objects.filter(model_name=model[0], model_version=model[1], name=name)
        newest = named.order_by("-number").values_list("number", flat=True).first() or 0
        point = OperatingPoint.objects.create(
            model_name=model[0],
            model_version=model[1],
            name=name,
            number=newest + 1,
            goal=goal.text,
            source=source,
            threshold=rows[""].threshold if "" in rows else own_threshold,
        )
        for row in rows.values():
            row.point = point
        PointClass.objects.bulk_create(rows.values())
    return point


def _row(class_name: str, evidence: Evidence, goal: Goal, own_threshold: float) -> PointClass:
    chosen = choose(evidence, goal)
    figures = chosen or figures_at(evidence, own_threshold)
    return PointClass(
        class_name=class_name,
        threshold=figures.threshold,
        is_reached=chosen is not None,
        judged=figures.judged,
        right=figures.right,
        **_shares(figures),
    )


def _shares(figures: Figures) -> dict[str, float | None]:
    fields: dict[str, float | None] = {}
    for name, share in (("precision", figures.precision), ("recall", figures.recall)):
        fields[name] = None if share is None else share.value
        fields[f"{name}_low"] = None if share is None else share.low
        fields[f"{name}_high"] = None if share is None else share.high
    return fields


def find(model: tuple[str, str], reference: str) -> OperatingPoint:
    """Return NAME@NUMBER of a model, or for NAME the newest of it. Raises OperatingPointError."""
    name, _, number = reference.partition("@")
    points = OperatingPoint.objects.filter(model_name=model[0], model_version=model[1])
    wanted = {"number": int(number)} if number.isdecimal() else {}
    found = points.filter(name=name, **wanted).order_by("-number").first() if not number or wanted else None
    if found is None:
        known = ", ".join(map(str, points)) or "none"
        raise OperatingPointError(
            f"There is no operating point {reference}. Known are: {known}. Make one with "
            f"`{PROGRAM} operating_point propose`."
        )
    return found


@dataclass(slots=True)
class Trial:
    """Effect of a point on past detections. more, fewer: objects by class that it alone reports, or that
    it does not. examples: detections with most changes.
    """

    detections: int = 0
    changed: int = 0
    before: int = 0
    after: int = 0
    more: Counter[str] = field(default_factory=Counter)
    fewer: Counter[str] = field(default_factory=Counter)
    examples: list[UUID] = field(default_factory=list)


def try_out(point: OperatingPoint, newest: int = TRIED_DETECTIONS) -> Trial:
    """Look at the newest detections of the point's model through it, without the network."""
    rows = Detection.objects.filter(
        model_name=point.model_name, model_version=point.model_version, removal=None
    ).order_by("-created_at", "-pk")[:newest]
    detections = {row.pk: row for row in rows}
    trial, thresholds, changes = Trial(len(detections)), point.thresholds(), Counter[int]()
    pks = sorted(detections)
    for start in range(0, len(pks), _CHUNK):
        objects = DetectedObject.objects.filter(detection__in=pks[start : start + _CHUNK]).order_by("detection_id")
        for pk, group in groupby(objects, key=lambda one: one.detection_id):
            changes[pk] = _compare(trial, list(group), detections[pk], thresholds)
    trial.changed = sum(1 for count in changes.values() if count)
    trial.examples = [detections[pk].uuid for pk, count in changes.most_common(_EXAMPLES) if count]
    return trial


def _compare(trial: Trial, objects: list[DetectedObject], detection: Detection, thresholds: Thresholds) -> int:
    """Count one detection; return the number of changes."""
    changes = 0
    for found in objects:
        was, would_be = is_reported(found, detection.thresholds), is_reported(found, thresholds)
        trial.before += was
        trial.after += would_be
        if was != would_be:
            changes += 1
            (trial.more if would_be else trial.fewer)[found.class_name] += 1
    return changes


def activate(point: OperatingPoint) -> None:
    """Let a point decide where callers give no threshold: every server goes by it within seconds."""
    with transaction.atomic():
        active = _lock(point.model_name, point.model_version)
        if active == point:
            return
        _deactivate(active)
        OperatingPoint.objects.filter(pk=point.pk).update(is_active=True, replaced=active, activated_at=timezone.now())


def roll_back(model: tuple[str, str]) -> OperatingPoint | None:
    """Let the point decide that was active before; return it, None where that is the model's own threshold.

    Raises OperatingPointError where no point is active.
    """
    with transaction.atomic():
        active = _lock(*model)
        if active is None:
            raise OperatingPointError("No operating point is active: there is nothing to go back from.")
        _deactivate(active)
        before = active.replaced
        if before is not None:
            OperatingPoint.objects.filter(pk=before.pk).update(is_active=True)
        return before


def _lock(model_name: str, model_version: str) -> OperatingPoint | None:
    """Lock the points of a model in one order; return the active one."""
    rows = OperatingPoint.objects.select_for_update().filter(model_name=model_name, model_version=model_version)
    return next((row for row in list(rows.order_by("pk")) if row.is_active), None)


def _deactivate(active: OperatingPoint | None) -> None:
    if active is not None:
        OperatingPoint.objects.filter(pk=active.pk).update(is_active=False)
