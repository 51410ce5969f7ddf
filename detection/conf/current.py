"""The settings in force, read once for each process."""

from django.conf import settings

from detection.conf import Config


def config() -> Config:
    """The process's configuration."""
    found: Config = settings.DETECTOR
    return found
