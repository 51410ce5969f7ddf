"""Pretrained checkpoints that `manage.py fetch_model` offers, and their installation."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detection.conf import PRODUCTION_MODEL_EDGE, PRODUCTION_MODEL_NAME, PRODUCTION_MODEL_PREFIX
from detection.inference.cards.card import CARD_NAME, read_card
from detection.inference.errors import CheckpointError
from detection.inference.files import replace_file
from detection.registry.downloads import (
    DownloadError,
    KnownFile,
    Source,
    fetch_file,
    is_intact,
    left_bytes,
    require_space,
)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Published SSD of MXNet; `files` in the order in which they are installed, the one that completes it last.

    edge: of the network's input, in pixels.
    """

    name: str
    summary: str
    version: str
    licence: str
    edge: int
    url: str
    files: tuple[KnownFile, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all its files on the disk."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Installation:
    """Folder of a checkpoint, and the files that were downloaded."""

    folder: Path
    fetched: tuple[KnownFile, ...]


RESNET50_SSD = KnownModel(
    name=PRODUCTION_MODEL_NAME,
    summary="SSD on ResNet-50, 20 Pascal VOC classes, edge 512",
    version="1.0",
    licence="not stated where the files are published",
    edge=PRODUCTION_MODEL_EDGE,
    url="https://s3.amazonaws.com/model-server/models/resnet50_ssd/",
    files=(
        KnownFile("synset.txt", 135, "f14861775969fd006b382e005f96dc811ef062ea4a37356efb70d7775e90f743"),
        KnownFile(
            f"{PRODUCTION_MODEL_PREFIX}-symbol.json",
            130_816,
            "964cba539ebeb2b4c239a643ce14037189b04e4d7dc565a5bdfdf6869f90a544",
        ),
        KnownFile(
            f"{PRODUCTION_MODEL_PREFIX}-0000.params",
            124_747_072,
            "852f460ab31a171568a093b17d153f70754e82096545115cdc3f3317b5b9ee5a",
        ),
    ),
)
KNOWN_MODELS = {model.name: model for model in (RESNET50_SSD,)}


def install(
    model: KnownModel, source: Source, models_dir: Path, on_bytes: Callable[[KnownFile, int], None]
) -> Installation:
    """Install every file of `model` into its folder below `models_dir`; intact files are kept.

    Its card comes last: without it the checkpoint is complete, and usable as MODEL_PREFIX. `on_bytes` is called with
    the file and the number of its bytes received so far. Raises DownloadError.
    """
    folder = models_dir / model.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = tuple(file for file in model.files if not is_intact(file, folder / file.name))
        require_space(folder, sum(left_bytes(file, folder) for file in wanted))
        for file in wanted:
            fetch_file(file, source, folder, lambda have, file=file: on_bytes(file, have))  # type: ignore[misc]
        if not _has_card_of(model, folder):
            replace_file(folder / CARD_NAME, card_of(model).encode())
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written ({error.strerror}). Make room, or set DATA_DIR to a folder of your own."
        ) from error
    return Installation(folder, wanted)


def card_of(model: KnownModel) -> str:
    """Return the model card for its folder (`inference/cards/card.py`), with the hashes that its files were verified
    by.
    """
    described = {
        "name": model.name,
        "title": model.summary,
        "version": model.version,
        "family": "mxnet_ssd",
        "licence": model.licence,
        "source": model.url,
        "classes": "synset.txt",
    }
    # JSON's strings are also TOML's.
    lines = [f"{key} = {json.dumps(value)}" for key, value in described.items()]
    lines += ["", "[files]", *(f"{json.dumps(file.name)} = {json.dumps(file.sha256)}" for file in model.files)]
    lines += ["", "[input]", f"edge = {model.edge}"]
    return "\n".join(lines) + "\n"


def _has_card_of(model: KnownModel, folder: Path) -> bool:
    """Return whether the folder has a card of these files; an edited one is kept."""
    try:
        return read_card(folder).files == {file.name: file.sha256 for file in model.files}
    except CheckpointError:
        return False
