"""Loads a checkpoint (network, weights and class names) and checks that its parts belong together."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from detection.inference.class_names import read_classes
from detection.inference.errors import CheckpointError
from detection.inference.mxnet.params import Params, read_params
from detection.inference.mxnet.symbol import Symbol, read_symbol

INPUT_NAME = "data"
_NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """Paths of the three files of a checkpoint."""

    symbol: Path
    params: Path
    classes: Path


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Checkpoint in memory.

    params: the arrays of the network's variables by name; classes: the names of the detected classes, without
    background.
    """

    prefix: Path
    epoch: int
    symbol: Symbol
    params: Params
    classes: tuple[str, ...]


def checkpoint_files(prefix: Path, epoch: int) -> CheckpointFiles:
    """Return the files of checkpoint `prefix` (folder/name) as MXNet names them, and `synset.txt` beside them."""
    return CheckpointFiles(
        symbol=prefix.with_name(f"{prefix.name}-symbol.json"),
        params=prefix.with_name(f"{prefix.name}-{epoch:04d}.params"),
        classes=prefix.with_name("synset.txt"),
    )


def checkpoint_sha256(prefix: Path, epoch: int) -> str:
    """Return one hash, in hexadecimal, over the content of all files of a checkpoint; raises CheckpointError."""
    files = checkpoint_files(prefix, epoch)
    whole = hashlib.sha256()
    for path in (files.symbol, files.params, files.classes):
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be read ({error.strerror}): complete the checkpoint, or change MODEL_PREFIX."
            ) from None
    return whole.hexdigest()


def load_checkpoint(prefix: Path, epoch: int, classes: tuple[str, ...] = ()) -> Checkpoint:
    """Read and check a checkpoint; its classes are those of synset.txt beside it unless given.

    Raises CheckpointError when a file is missing or damaged, when the network has no input `data`, and when the
    weights are not those of the network; shapes are checked in the conversion, which infers them.
    """
    files = checkpoint_files(prefix, epoch)
    symbol, params = read_symbol(files.symbol), read_params(files.params)
    _check_names(symbol, params, files)
    return Checkpoint(prefix, epoch, symbol, params, classes or read_classes(files.classes))


def _check_names(symbol: Symbol, params: Params, files: CheckpointFiles) -> None:
    variables = [node.name for node in symbol.nodes if node.is_variable]
    live = {symbol.nodes[index].name for index in symbol.live_nodes() if symbol.nodes[index].is_variable}
    problems = {
        "the network has no input named": {INPUT_NAME} - live,
        "the network has more than one variable named": {name for name in live if variables.count(name) > 1},
        "the weights lack": live - {INPUT_NAME} - set(params),
        "the network does not know the weights": set(params) - set(variables),
    }
    parts = [f"{problem} {_some(names)}" for problem, names in problems.items() if names]
    if parts:
        raise CheckpointError(
            f"{files.params} does not fit {files.symbol.name}: {'; '.join(parts)}. "
            "Use the symbol and params files of the same training run."
        )


def _some(names: set[str]) -> str:
    ordered = sorted(names)
    rest = len(ordered) - _NAMES_SHOWN
    return ", ".join(ordered[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
