"""Place of this installation, and the name of its commands: `manage.py` in a clone, `detector-site` of a package."""

from pathlib import Path

# Parent folder of the packages: a clone's root, or site-packages.
PACKAGES_DIR = Path(__file__).resolve().parent.parent


def is_clone(packages_dir: Path) -> bool:
    """Return whether that parent folder of the packages is the root of a clone, or of the image."""
    return (packages_dir / "manage.py").is_file() and (packages_dir / "models").is_dir()


def program(packages_dir: Path = PACKAGES_DIR) -> str:
    """Return the name of the program that has the commands there; messages name commands by it."""
    return "manage.py" if is_clone(packages_dir) else "detector-site"


PROGRAM = program()
