"""Configuration of the Django app. Loading it reads no model: only a server does (`detection/predict/service.py`)."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DetectionConfig(AppConfig):
    name = "detection"
    verbose_name = "Object detection"

    def ready(self) -> None:
        from detection import checks  # noqa: F401  (registers system checks)
        from detection.accounts import schema  # noqa: F401  (registers the API's security schemes)

        post_migrate.connect(_complete_database, sender=self)


def _complete_database(**_given: Any) -> None:
    """Fill lists and counters after the migration that adds them, for an older history; index the photos' names."""
    from detection.history import photo_names
    from detection.history.indexing import rebuild
    from detection.models import Detection, ListEntry

    if Detection.objects.exists() and not ListEntry.objects.exists():
        rebuild()
    photo_names.ensure_index()
