"""Settings in force, read once for each process."""

from django.conf import settings

from detection.conf import Config


def config() -> Config:
    """Return the process's configuration."""
    found: Config = settings.DETECTOR
    return found
