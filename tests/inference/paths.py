"""Paths of shipped files for tests of the core, without Django's settings."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EMBEDDED_PREFIX = REPOSITORY / "models" / "mobilenet_ssd_voc" / "mobilenet_ssd_voc"
# Beside the checkout on machines that have them; tests that need them are skipped elsewhere.
SHARED = REPOSITORY.parent / "shared"
