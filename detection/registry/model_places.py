"""Finds the folder of a model in what people have: a folder within others, or a zip."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from detection.evaluation.archives import unpacked
from detection.inference.cards.card import CARD_NAME, has_card
from detection.inference.errors import CheckpointError
from detection.program import PROGRAM

_LEVELS, _MOST_FOLDERS = 4, 1000


@contextmanager
def model_folder_in(place: Path) -> Iterator[Path]:
    """Give the folder with a model card that a folder is or has within it, or a zip, which is unpacked until the end of
    the block; the place itself where there is none.

    Raises CheckpointError where there are several, or a zip has none, and DatasetError where a zip cannot be unpacked.
    """
    if place.suffix.lower() != ".zip" or not place.is_file():
        yield nested_folder(place, has_card)
        return
    with unpacked(place) as folder:
        found = nested_folder(folder, has_card)
        if not has_card(found):
            raise CheckpointError(
                f"{place} has no model card ({CARD_NAME}). Unpack it, and `{PROGRAM} model_card FOLDER` drafts one."
            )
        yield found


def nested_folder(folder: Path, is_it: Callable[[Path], bool]) -> Path:
    """Return the one folder that is meant, of a folder and those within it; the folder itself where none is.

    Raises CheckpointError where several are.
    """
    if is_it(folder):
        return folder
    found = [each for each in _within(folder) if is_it(each)]
    if len(found) > 1:
        names = ", ".join(str(each.relative_to(folder)) for each in found[:10])
        raise CheckpointError(f"{folder} has {len(found)} models within it: {names}. Name the folder of one.")
    return found[0] if found else folder


def _within(folder: Path) -> list[Path]:
    """Return the folders within a folder, a few levels deep; without hidden ones and links."""
    found: list[Path] = []
    level = [folder]
    for _ in range(_LEVELS):
        level = [child for parent in level for child in _children(parent)][: _MOST_FOLDERS - len(found)]
        found += level
    return found


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_dir() and not path.is_symlink() and not path.name.startswith((".", "__MACOSX"))
        )
    except OSError:
        return []
