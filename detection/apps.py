"""The Django app. Loading it reads no model: only a server does (`detection/services.py`)."""

from django.apps import AppConfig


class DetectionConfig(AppConfig):
    name = "detection"
    verbose_name = "Object detection"

    def ready(self) -> None:
        from detection import (  # noqa: F401  (they register system checks and the API's security schemes)
            api_access_schema,
            checks,
        )
