"""Installs published models, and files of any address by their hash, into folders of DATA_DIR."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from detection.inference.cards.card import CARD_NAME, read_card
from detection.inference.errors import CheckpointError
from detection.inference.files import file_sha256, replace_file
from detection.inference.network import DEFAULT_THRESHOLD
from detection.registry.downloads import (
    DownloadError,
    HttpSource,
    KnownFile,
    Source,
    fetch_file,
    is_intact,
    left_bytes,
    require_space,
)
from detection.registry.known_models import KnownModel

OnFileBytes = Callable[[KnownFile, int], None]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[\w][\w.+@ -]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Installation:
    """Folder of a model, and the files that were downloaded."""

    folder: Path
    fetched: tuple[KnownFile, ...]


def install(model: KnownModel, source: Source, models_dir: Path, on_bytes: OnFileBytes) -> Installation:
    """Install every file of `model` into its folder below `models_dir`; intact files are kept.

    Its card comes last: without it a checkpoint of MXNet is complete, and usable as MODEL_PREFIX. A file without a
    known hash is pinned by the card that its first fetch writes. `on_bytes` is called with the file and the number of
    its bytes received so far. Raises DownloadError.
    """
    folder = models_dir / model.name
    model = _pinned(model, folder)
    wanted = _fetch_missing(model.files, source, folder, on_bytes)
    try:
        model = replace(model, files=tuple(_hashed(file, folder) for file in model.files))
        if not _has_card_of(model, folder):
            replace_file(folder / CARD_NAME, card_of(model).encode())
    except OSError as error:
        raise _unwritable(folder, error) from error
    except CheckpointError as error:
        raise DownloadError(str(error)) from error
    return Installation(folder, wanted)


def install_from_url(
    url: str, sha256: str, models_dir: Path, on_bytes: OnFileBytes, *, name: str = "", timeout_s: float = 30.0
) -> Installation:
    """Download one file, verified by its SHA-256, into a folder below `models_dir`, without a card.

    name: of the folder; "" for the file's own without its ending. Raises DownloadError.
    """
    sha256 = sha256.lower()
    if _SHA256.fullmatch(sha256) is None:
        raise DownloadError("--sha256 has to be the SHA-256 of the file: 64 hexadecimal digits. Ask its publisher.")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadError(f"{url} is not an address of http or https. Give with --url the address of one file.")
    file_name = unquote(PurePosixPath(urlsplit(url).path).name)
    if _FILE_NAME.fullmatch(file_name) is None:
        raise DownloadError(f"{url} does not end with the name of a file. Give the address of the file itself.")
    folder_name = name or PurePosixPath(file_name).stem
    if re.fullmatch(r"[\w][\w.-]*", folder_name, re.ASCII) is None:
        raise DownloadError(f"{folder_name!r} cannot be the name of a folder. Give with --name letters, digits, . _ -")
    source = HttpSource(url, timeout_s, is_one_file=True)
    file = KnownFile(file_name, source.size_bytes(), sha256)
    folder = models_dir / folder_name
    return Installation(folder, _fetch_missing((file,), source, folder, on_bytes))


def card_of(model: KnownModel) -> str:
    """Return the model card for its folder (`inference/cards/card.py`), with the hashes that its files were verified
    by.
    """
    described: dict[str, Any] = {
        "name": model.name,
        "title": model.summary,
        "version": model.version,
        "family": model.family,
        "licence": model.licence,
        "source": model.url,
        "classes": model.class_names,
    }
    if model.threshold != DEFAULT_THRESHOLD:
        described["threshold"] = model.threshold
    # JSON's strings, numbers, booleans and lists are also TOML's.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in described.items()]
    lines += ["", "[files]", *(f"{json.dumps(file.name)} = {json.dumps(file.sha256)}" for file in model.files)]
    for table in ("input", "decoding", "accuracy"):
        if values := getattr(model, table):
            lines += ["", f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def is_installed(model: KnownModel, models_dir: Path) -> bool:
    """Return whether the model's folder has its card and files of its sizes; their hashes are checked when it loads."""
    folder = models_dir / model.name
    return (folder / CARD_NAME).is_file() and all(
        (folder / file.name).is_file() and (folder / file.name).stat().st_size == file.size_bytes
        for file in model.files
    )


def _fetch_missing(
    files: tuple[KnownFile, ...], source: Source, folder: Path, on_bytes: OnFileBytes
) -> tuple[KnownFile, ...]:
    """Download the files that are not intact in `folder`, and return them. Raises DownloadError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = tuple(file for file in files if not is_intact(file, folder / file.name))
        require_space(folder, sum(left_bytes(file, folder) for file in wanted))
        for file in wanted:
            fetch_file(file, source, folder, lambda have, file=file: on_bytes(file, have))  # type: ignore[misc]
    except OSError as error:
        raise _unwritable(folder, error) from error
    return wanted


def _unwritable(folder: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{folder} cannot be written ({error.strerror}). Make room, or set DATA_DIR to a folder of your own."
    )


def _pinned(model: KnownModel, folder: Path) -> KnownModel:
    """Return the model with the hashes that an earlier fetch has pinned for files without a published one."""
    if all(file.sha256 for file in model.files):
        return model
    try:
        listed = read_card(folder).files
    except CheckpointError:
        return model
    return replace(
        model, files=tuple(replace(file, sha256=file.sha256 or listed.get(file.name, "")) for file in model.files)
    )


def _hashed(file: KnownFile, folder: Path) -> KnownFile:
    return file if file.sha256 else replace(file, sha256=file_sha256(folder / file.name))


def _has_card_of(model: KnownModel, folder: Path) -> bool:
    """Return whether the folder has a card of these files; an edited one is kept."""
    try:
        return read_card(folder).files == {file.name: file.sha256 for file in model.files}
    except CheckpointError:
        return False
