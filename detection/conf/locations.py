"""Locations of the files that the packages read beside themselves, in a clone and in an installed wheel."""

from pathlib import Path

import platformdirs

from detection.program import PACKAGES_DIR, is_clone

_IS_CLONE = is_clone(PACKAGES_DIR)
# Parent folder of `models`, `static` and `templates`, which pyproject.toml puts there in a wheel.
BASE_DIR = PACKAGES_DIR if _IS_CLONE else PACKAGES_DIR / "detector_site" / "bundled"
# A wheel's files belong to the installer, so data are the user's.
DEFAULT_DATA_DIR = BASE_DIR / "var" if _IS_CLONE else platformdirs.user_data_path("detector-site", appauthor=False)


def static_root(data_dir: Path) -> Path:
    """Return the folder that `collectstatic` fills."""
    return (BASE_DIR if _IS_CLONE else data_dir) / "staticfiles"
