"""The Django app. Loading it reads no model: only a server does (`detection/predict/service.py`)."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DetectionConfig(AppConfig):
    name = "detection"
    verbose_name = "Object detection"

    def ready(self) -> None:
        from detection import checks  # noqa: F401  (registers system checks)
        from detection.accounts import schema  # noqa: F401  (registers the API's security schemes)

        post_migrate.connect(_enter_old_detections, sender=self)


def _enter_old_detections(**_given: Any) -> None:
    """A history from before there were entries and tallies gets them after its migration."""
    from detection.history.indexing import rebuild
    from detection.models import Detection, ListEntry

    if Detection.objects.exists() and not ListEntry.objects.exists():
        rebuild()
