"""Queries that other packages share: visible detections, models and engines in the history."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from detection.accounts.access import Caller, visible_to
from detection.models import Detection, Removal

M = TypeVar("M", bound=Model)


def shown(rows: QuerySet[M], detection: str = "pk") -> QuerySet[M]:
    """Exclude detections in the trash, which are few. detection: the lookup from a row to the id of its detection."""
    return rows.exclude(**{f"{detection}__in": Removal.objects.values("detection_id")})


def visible_detections(caller: Caller) -> QuerySet[Detection]:
    """Return the detections that a caller may see: none of another user's, and none in the trash."""
    return shown(visible_to(caller, Detection.objects.all()))


ModelKey = tuple[str, str]
"""Name and version of a model."""


def models_in_history() -> list[ModelKey]:
    """Return name and version of all models with detections: one index look-up for each, not one for each detection."""
    models = Detection.objects.order_by("model_name", "model_version").values_list("model_name", "model_version")
    found: list[ModelKey] = []
    following = models.first()
    while following is not None:
        found.append(following)
        name, version = following
        other_version = models.filter(model_name=name, model_version__gt=version).first()
        following = other_version or models.filter(model_name__gt=name).first()
    return found


def engines_in_history() -> list[str]:
    """Return all engines with detections: one index look-up for each, not one for each detection."""
    engines = Detection.objects.order_by("engine").values_list("engine", flat=True)
    found: list[str] = []
    following = engines.first()
    while following is not None:
        found.append(following)
        following = engines.filter(engine__gt=following).first()
    return found
