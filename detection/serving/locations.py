"""Locations of model folders on disk, by name and version."""

import re
from contextlib import suppress
from pathlib import Path

from detection.conf import BASE_DIR, Config
from detection.errors import UnknownModelError
from detection.inference.cards.card import has_card, read_card
from detection.inference.errors import CheckpointError
from detection.models import ModelVersion

# As long as a row of a version allows; longer ones are no names of folders either.
_FULL_NAME = re.compile(rf"[\w.-]{{1,{ModelVersion.NAME_LENGTH}}}@[\w.-]{{1,{ModelVersion.VERSION_LENGTH}}}", re.ASCII)


def models_parents(config: Config) -> tuple[Path, Path]:
    """Return the parent folders of model folders, in order of precedence."""
    return config.models_dir, BASE_DIR / "models"


def model_folder(config: Config, reference: str) -> Path:
    """Return the folder of a model that can be requested. Raises UnknownModelError.

    reference: one of MODELS; or NAME@VERSION of an added version, or of one of MODELS by its card.
    """
    found = None
    if reference in config.models:
        found = _folder_named(config, reference)
    elif _FULL_NAME.fullmatch(reference):
        found = _folder_of_version(config, reference)
    if found is None:
        raise UnknownModelError(reference, config.models)
    return found


def added_versions(config: Config) -> list[str]:
    """Return NAME@VERSION of all added versions, which are the names of their folders."""
    if not config.models_dir.is_dir():
        return []
    folders = sorted(config.models_dir.iterdir())
    return [folder.name for folder in folders if _FULL_NAME.fullmatch(folder.name) and has_card(folder)]


def _folder_named(config: Config, name: str) -> Path | None:
    folders = (parent / name for parent in models_parents(config))
    return next((folder for folder in folders if has_card(folder)), None)


def _folder_of_version(config: Config, full_name: str) -> Path | None:
    if has_card(config.models_dir / full_name):
        return config.models_dir / full_name
    offered = (_folder_named(config, name) for name in config.models)
    return next((folder for folder in offered if folder is not None and full_name in _full_names(folder)), None)


def _full_names(folder: Path) -> set[str]:
    """Map names of MODELS, which are folders, to the full names in their cards, which responses contain."""
    with suppress(CheckpointError):
        card = read_card(folder)
        return {f"{name}@{card.version}" for name in (folder.name, card.name)}
    return set()


def shadow_folder(config: Config) -> Path:
    """Return the folder of SHADOW_MODEL: NAME, or NAME@VERSION of an added version. Raises CheckpointError."""
    found = _folder_named(config, config.shadow.name)
    if found is None:
        raise CheckpointError(f"There is no model {config.shadow.name}, which SHADOW_MODEL names.")
    return found
