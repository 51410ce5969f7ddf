"""Queries that other packages share: visible detections, models and engines in the history."""

from django.db.models import QuerySet

from detection.models import Detection, Removal


def shown(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Exclude detections in the trash, which are few."""
    return detections.exclude(pk__in=Removal.objects.values("detection_id"))


_Model = tuple[str, str]


def models_in_history() -> list[_Model]:
    """Return name and version of all models with detections: one index look-up for each, not one for each detection."""
    models = Detection.objects.order_by("model_name", "model_version").values_list("model_name", "model_version")
    found: list[_Model] = []
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
