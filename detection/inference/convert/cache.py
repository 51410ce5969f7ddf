"""Cache of converted networks on disk, keyed by the hash of their sources.

An entry is a folder with `network.onnx`, `anchors.npy` and `network.json`; the last has the hashes of the others. It
is written beside its place and renamed into it, so that several processes may prepare the same network at once and
none sees half of it.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from detection.inference.convert.conversion import CONVERTER_VERSION, convert
from detection.inference.decoding import MultiBoxDecoding
from detection.inference.errors import CheckpointError
from detection.inference.families.mxnet_ssd import SsdDecoding
from detection.inference.files import file_sha256
from detection.inference.mxnet.checkpoint import checkpoint_sha256, load_checkpoint
from detection.inference.network import Network
from detection.inference.types import FloatArray

ONNX_NAME = "network.onnx"
ANCHORS_NAME = "anchors.npy"
DESCRIPTION_NAME = "network.json"
_ATTEMPTS = 3
_HASH_DIGITS = 24

logger = logging.getLogger(__name__)


def prepare_network(prefix: Path, epoch: int, edge: int, cache_dir: Path) -> Network:
    """Return the checkpoint as a network that an engine can run, converted now or earlier.

    A damaged entry of the cache is made anew. Raises CheckpointError when the checkpoint cannot be used and when
    `cache_dir` cannot be written.
    """
    sha256 = checkpoint_sha256(prefix, epoch)
    entry = cache_dir / _entry_name(sha256, edge)
    try:
        for _ in range(_ATTEMPTS):
            description = _read_entry(entry)
            if description is not None:
                return _network(entry, description, prefix, epoch)
            _make_entry(entry, prefix, epoch, edge, sha256)
    except OSError as error:
        raise CheckpointError(
            f"{cache_dir} cannot keep converted models ({error.strerror}): make it a folder that this user may "
            "write to, with room for the checkpoint, or set DATA_DIR to another one."
        ) from error
    raise CheckpointError(f"{entry} does not keep what is written to it: delete it and start again.")


def _entry_name(sha256: str, edge: int) -> str:
    return f"{sha256[:_HASH_DIGITS]}-{edge}px-v{CONVERTER_VERSION}"


def _make_entry(entry: Path, prefix: Path, epoch: int, edge: int, sha256: str) -> None:
    checkpoint = load_checkpoint(prefix, epoch)
    converted = convert(checkpoint, edge)
    entry.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    try:
        (folder / ONNX_NAME).write_bytes(converted.model.SerializeToString())
        np.save(folder / ANCHORS_NAME, converted.anchors, allow_pickle=False)
        description = {
            "classes": checkpoint.classes,
            "decoding": asdict(converted.decoding),
            "edge": edge,
            "sha256": sha256,
            "files": {name: file_sha256(folder / name) for name in (ONNX_NAME, ANCHORS_NAME)},
        }
        (folder / DESCRIPTION_NAME).write_text(json.dumps(description | {"seal": _seal(description)}), encoding="utf-8")
        _move_into_place(folder, entry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    logger.info("converted %s for photos of %d pixels into %s", prefix, edge, entry)


def _move_into_place(folder: Path, entry: Path) -> None:
    """Rename a complete folder to `entry`, unless another process has completed the entry meanwhile."""
    try:
        folder.rename(entry)
    except OSError:
        if _read_entry(entry) is not None:
            logger.debug("another process has completed %s", entry)
            return
        # Renamed before it is deleted, so that no process finds it half deleted.
        damaged = folder.with_name(f"{folder.name}-damaged")
        entry.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
        folder.rename(entry)


def _read_entry(entry: Path) -> dict[str, Any] | None:
    """Return the description of an entry; None when the entry is missing or damaged."""
    try:
        description: dict[str, Any] = dict(json.loads((entry / DESCRIPTION_NAME).read_bytes()))
        if description.pop("seal") != _seal(description):
            raise ValueError(description)
        changed = [
            name for name in (ONNX_NAME, ANCHORS_NAME) if file_sha256(entry / name) != description["files"][name]
        ]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        changed = [DESCRIPTION_NAME]
    if changed:
        logger.warning("the converted model %s is made anew: %s is damaged", entry, ", ".join(changed))
        return None
    return description


def _network(entry: Path, description: dict[str, Any], prefix: Path, epoch: int) -> Network:
    decoding = description["decoding"]
    anchors: FloatArray = np.load(entry / ANCHORS_NAME, allow_pickle=False)
    return Network(
        name=prefix.name,
        onnx_path=entry / ONNX_NAME,
        decoding=SsdDecoding(anchors, MultiBoxDecoding(**(decoding | {"variances": tuple(decoding["variances"])}))),
        classes=tuple(description["classes"]),
        size_wh=(description["edge"], description["edge"]),
        sha256=description["sha256"],
        prefix=prefix,
        epoch=epoch,
    )


def _seal(description: dict[str, Any]) -> str:
    """Hash the description, so that a change to any number in it is noticed."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
