"""Locations of the files that the packages read beside themselves, in a clone and in an installed wheel."""

from pathlib import Path

import platformdirs

# Parent folder of the packages: a clone's root, or site-packages.
PACKAGES_DIR = Path(__file__).resolve().parent.parent.parent
_IS_CLONE = (PACKAGES_DIR / "manage.py").is_file() and (PACKAGES_DIR / "models").is_dir()
# Parent folder of `models`, `static` and `templates`, which pyproject.toml puts there in a wheel.
BASE_DIR = PACKAGES_DIR if _IS_CLONE else PACKAGES_DIR / "detector_site" / "bundled"
# A wheel's files belong to the installer, so data are the user's.
DEFAULT_DATA_DIR = BASE_DIR / "var" if _IS_CLONE else platformdirs.user_data_path("detector-site", appauthor=False)


def static_root(data_dir: Path) -> Path:
    """Return the folder that `collectstatic` fills."""
    return (BASE_DIR if _IS_CLONE else data_dir) / "staticfiles"
