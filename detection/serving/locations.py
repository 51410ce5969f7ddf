"""Locations of model folders on disk, by name and version."""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from detection.conf import BASE_DIR, Config
from detection.errors import AmbiguousModelError, UnknownModelError
from detection.inference.cards.card import has_card, read_card
from detection.inference.errors import CheckpointError
from detection.models import ModelVersion

# As long as a row of a version allows; longer ones are no names of folders either.
_FULL_NAME = re.compile(rf"[\w.-]{{1,{ModelVersion.NAME_LENGTH}}}@[\w.-]{{1,{ModelVersion.VERSION_LENGTH}}}", re.ASCII)


def models_parents(config: Config) -> tuple[Path, Path]:
    """Return the parent folders of model folders, in order of precedence."""
    return config.models_dir, BASE_DIR / "models"


def find_folder(config: Config, reference: str, offered: Collection[str] | None) -> Path | None:
    """Return the folder that NAME or NAME@VERSION means; None where there is none. Raises AmbiguousModelError.

    NAME is the name of a folder, in DATA_DIR/models before `models`. NAME@VERSION never means another version: it is a
    folder that is called so, as added versions are, or one whose card has that version, under the card's name or its
    own; where these are different models, none of them is meant. offered: names of the folders that may be meant (a
    caller's are MODELS), beside added versions; None for all (an operator's).
    """
    if not _FULL_NAME.fullmatch(reference):
        return _folder_named(config, reference) if offered is None or reference in offered else None
    folders = installed_folders(config) if offered is None else map(partial(_folder_named, config), offered)
    found = [folder for folder in folders if folder is not None and reference in _full_names(folder)]
    own = config.models_dir / reference
    if _has_version(own, reference.partition("@")[2]):
        found.insert(0, own)
    other = next((folder for folder in found if not _is_same_model(folder, found[0])), None)
    if other is not None:
        raise AmbiguousModelError(reference, [_told(config, folder) for folder in (found[0], other)])
    return found[0] if found else None


def model_folder(config: Config, reference: str) -> Path:
    """Return the folder of a model that callers may request. Raises UnknownModelError, AmbiguousModelError."""
    found = find_folder(config, reference, config.models)
    if found is None:
        raise UnknownModelError(reference, config.models)
    return found


def shadow_folder(config: Config) -> Path:
    """Return the folder of SHADOW_MODEL. Raises CheckpointError."""
    found = find_folder(config, config.shadow.name, None)
    if found is None:
        raise CheckpointError(f"There is no model {config.shadow.name}, which SHADOW_MODEL names.")
    return found


def installed_folders(config: Config) -> Iterator[Path]:
    """Yield every folder with a model card; those of DATA_DIR first."""
    for parent in models_parents(config):
        if parent.is_dir():
            yield from (folder for folder in sorted(parent.iterdir()) if has_card(folder))


def added_versions(config: Config) -> list[str]:
    """Return NAME@VERSION of all added versions, which are the names of their folders."""
    if not config.models_dir.is_dir():
        return []
    folders = sorted(config.models_dir.iterdir())
    return [folder.name for folder in folders if _FULL_NAME.fullmatch(folder.name) and has_card(folder)]


def _folder_named(config: Config, name: str) -> Path | None:
    folders = (parent / name for parent in models_parents(config))
    return next((folder for folder in folders if has_card(folder)), None)


def _has_version(folder: Path, version: str) -> bool:
    """Return whether a folder has a model of a version; where its card cannot be read, whoever loads it says so."""
    if not has_card(folder):
        return False
    try:
        return read_card(folder).version == version
    except CheckpointError:
        return True


def _is_same_model(folder: Path, other: Path) -> bool:
    """Return whether two folders are one, or have cards that promise the same answers, as a copy of a folder has."""
    if folder == other:
        return True
    with suppress(CheckpointError):
        return read_card(folder).sha256 == read_card(other).sha256
    return False


def _told(config: Config, folder: Path) -> str:
    """Return the name of a folder for callers, who do not get to see the server's paths."""
    return f"{'DATA_DIR/models' if folder.parent == config.models_dir else 'models'}/{folder.name}"


def _full_names(folder: Path) -> set[str]:
    """Return NAME@VERSION of a folder's model, by the name of the folder and by that of its card."""
    with suppress(CheckpointError):
        card = read_card(folder)
        return {f"{name}@{card.version}" for name in (folder.name, card.name)}
    return set()
