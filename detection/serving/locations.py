"""Model folders on disk, by name and version."""

import re
from contextlib import suppress
from pathlib import Path

from detection.conf import BASE_DIR, Config
from detection.errors import UnknownModelError
from detection.inference.cards.card import has_card, read_card
from detection.inference.errors import CheckpointError

_FULL_NAME = re.compile(r"[\w.-]+@[\w.-]+", re.ASCII)


def models_parents(config: Config) -> tuple[Path, Path]:
    """Where folders of models are looked for, in this order."""
    return config.models_dir, BASE_DIR / "models"


def model_folder(config: Config, reference: str) -> Path:
    """The folder of a model that can be asked for. Raises UnknownModelError.

    reference: one of MODELS; or NAME@VERSION of a version that was added, or of one of MODELS by its card.
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
    """NAME@VERSION of all versions that were added: what their folders are called."""
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
    """By the name of the folder, which MODELS has, and by that of the card, which answers tell."""
    with suppress(CheckpointError):
        card = read_card(folder)
        return {f"{name}@{card.version}" for name in (folder.name, card.name)}
    return set()


def shadow_folder(config: Config) -> Path:
    """The folder of SHADOW_MODEL: NAME, or NAME@VERSION of a version that was added. Raises CheckpointError."""
    found = _folder_named(config, config.shadow_model)
    if found is None:
        raise CheckpointError(f"There is no model {config.shadow_model}, which SHADOW_MODEL names.")
    return found
