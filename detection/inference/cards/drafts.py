"""Drafts of model cards: an export is recognised by what it is, and its exporter's settings are always the same."""

import importlib.util
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detection.inference.cards.beside import Beside, read_beside
from detection.inference.cards.draft import IMAGENET, UNIT, Draft
from detection.inference.cards.evidence import Evidence, Signature, answers_to, signature_of
from detection.inference.cards.foreign import how_to_export
from detection.inference.cards.presets import EXPORTERS
from detection.inference.cards.shapes import infer
from detection.inference.class_names import is_plain
from detection.inference.errors import CheckpointError
from detection.inference.files import file_sha256
from detection.inference.network import OPENVINO_SUFFIXES
from detection.inference.onnx.weights import external_files, load_onnx, read_onnx
from detection.inference.types import ImageArray

CLASSES_NAME = "classes.txt"
PIXELS: Mapping[str, Mapping[str, Any]] = {"unit": UNIT, "byte": {}, "imagenet": IMAGENET}
"""Ranges of a network's input by name: 0 to 1, 0 to 255, ImageNet's mean and deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Options that a person gives about an export, "" or None where nothing.

    exporter: a key of EXPORTERS; size_wh: of the input, for files that leave it free; pixels: a key of PIXELS; colour,
    fit: of the card's `[input]`; facts: `name`, `version`, `licence`, `source`.
    """

    exporter: str = ""
    size_wh: tuple[int, int] | None = None
    pixels: str = ""
    colour: str = ""
    fit: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftedCard:
    """Text of a card, and why it says what it says, in sentences for people."""

    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Export:
    """A network's file, its interface, and the names of its files of weights. answer: runs it on a photo."""

    path: Path
    signature: Signature
    weights: tuple[str, ...]
    answer: Callable[[ImageArray], Mapping[str, NDArray[Any]]]


def draft_card(folder: Path, photo_rgb: Image.Image, wishes: Wishes) -> DraftedCard:
    """Draft the card for the one network of a folder by its interface, the files beside it and its answer to a photo.

    The network is an ONNX file, or where there is none, one in OpenVINO's form (.xml) or TFLite. Raises CheckpointError
    with what to do when something stays open.
    """
    export = _only_export(folder)
    path, signature = export.path, export.signature
    beside = read_beside(folder, signature.metadata)
    if not beside.classes:
        raise CheckpointError(
            f"{path} does not say its classes. Write them into {folder / CLASSES_NAME}, one a line, in their order."
        )
    size_wh = _size(signature, beside, wishes, path)
    seen = export.answer(np.asarray(photo_rgb.resize(size_wh), np.uint8))
    evidence = Evidence(signature=signature, beside=beside, classes=len(beside.classes), size_wh=size_wh, seen=seen)
    drafted = _with_wishes(_drafted(evidence, wishes, path), beside, wishes, path)
    files = {name: _sha256(folder / name) for name in [path.name, *export.weights, *filter(None, [beside.listing])]}
    return DraftedCard(_text(folder, evidence, drafted, files, wishes.facts), (*drafted.reasons, *beside.reasons))


def _text(folder: Path, evidence: Evidence, drafted: Draft, files: Mapping[str, str], given: Mapping[str, str]) -> str:
    facts = {"name": folder.resolve().name, "version": "1.0", "licence": "unknown", "source": "unknown", **given}
    width, height = evidence.size_wh
    size = {"edge": width} if width == height else {"width": width, "height": height}
    form = {"dtype": evidence.signature.dtype, "layout": evidence.signature.layout}
    return _toml(
        {
            "name": _slug(facts["name"]),
            "title": facts["name"],
            "version": facts["version"],
            "family": drafted.family,
            "licence": facts["licence"],
            "source": facts["source"],
            "classes": evidence.beside.listing or list(evidence.beside.classes),
            "threshold": 0.5,
        },
        {"files": files, "input": {**size, **(drafted.input or {}), **form}, "decoding": drafted.decoding},
    )


def _drafted(evidence: Evidence, wishes: Wishes, path: Path) -> Draft:
    """Return the draft of the one preset that fits, else what shapes and numbers say."""
    found = [wishes.exporter] if wishes.exporter else [name for name in EXPORTERS if EXPORTERS[name].is_it(evidence)]
    try:
        if len(found) == 1:
            drafted = EXPORTERS[found[0]].draft(evidence)
            return replace(drafted, reasons=(f"it is of {EXPORTERS[found[0]].title}", *drafted.reasons))
        if not found:
            return infer(evidence)
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(
            f"{path} cannot be described{_as(found)}: {_reason(error)}. Its input is {evidence.signature.photo}, its "
            f"outputs are {_outputs(evidence)}, and {evidence.classes} classes are named. Correct the classes, name it "
            f"by --exporter, one of {', '.join(EXPORTERS)}, or write the card by hand (docs/models.md)."
        ) from error
    raise CheckpointError(f"{path} could be of {' or '.join(found)}. Name it by --exporter.")


def _as(found: list[str]) -> str:
    return f" as an export of {EXPORTERS[found[0]].title}" if found else ""


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else "its outputs have other names or axes"


def _outputs(evidence: Evidence) -> str:
    return ", ".join(f"{name} {axes}" for name, axes in evidence.outputs.items())


def _with_wishes(drafted: Draft, beside: Beside, wishes: Wishes, path: Path) -> Draft:
    """Return a draft with what people and files say about scaling, which the numbers cannot tell."""
    chosen = PIXELS[wishes.pixels] if wishes.pixels else beside.input or drafted.input
    if chosen is None:
        raise CheckpointError(
            f"{path} is understood ({'; '.join(drafted.reasons)}), but nothing says how photos are scaled. Put its "
            f"preprocessor_config.json beside it, or name it by --pixels, one of {', '.join(PIXELS)} (0 to 1, 0 to "
            "255, ImageNet's mean and deviation), with --colour bgr and --fit letterbox where these are due."
        )
    kept = {key: value for key, value in (drafted.input or {}).items() if key in {"fit", "pad", "colour"}}
    given = {**kept, **chosen}
    given |= {key: value for key, value in {"colour": wishes.colour, "fit": wishes.fit}.items() if value}
    return replace(drafted, input=given)


def _size(signature: Signature, beside: Beside, wishes: Wishes, path: Path) -> tuple[int, int]:
    for width, height in filter(None, (wishes.size_wh, signature.size_wh, beside.size_wh)):
        if width and height:
            return width, height
    raise CheckpointError(f"{path} takes photos of any size. Say which one it was trained for: --size 640.")


def has_network(folder: Path) -> bool:
    """Return whether a folder itself has a file of a kind that cards are drafted for."""
    try:
        return bool(_named(folder, _is_network))
    except CheckpointError:
        return False


def _is_network(name: str) -> bool:
    return name.lower().endswith((".onnx", *OPENVINO_SUFFIXES))


def _only_export(folder: Path) -> _Export:
    networks = _named(folder, _is_network)
    for suffixes in ((".onnx",), OPENVINO_SUFFIXES):
        found = [name for name in networks if name.lower().endswith(suffixes)]
        if len(found) > 1:
            raise CheckpointError(
                f"{folder} has {len(found)} networks ({', '.join(found)}); a card is for one. Give each a folder of "
                "its own."
            )
        if found:
            return _onnx(folder / found[0]) if suffixes == (".onnx",) else _openvino(folder / found[0])
    raise CheckpointError(
        how_to_export(folder) or f"{folder} has no network: no file ends in {', '.join(('.onnx', *OPENVINO_SUFFIXES))}."
    )


def _onnx(path: Path) -> _Export:
    model = read_onnx(path)
    signature, weights = signature_of(model, path), tuple(sorted(external_files(model)))
    return _Export(path, signature, weights, lambda photo: answers_to(load_onnx(path, list(weights)), signature, photo))


def _openvino(path: Path) -> _Export:
    if importlib.util.find_spec("openvino") is None:
        raise CheckpointError(
            f"OpenVINO alone reads {path}, and it is not installed. Install requirements.txt, or export the network as "
            "ONNX."
        )
    from detection.inference.cards.openvino_evidence import openvino_answers, openvino_signature

    signature = openvino_signature(path)
    weights = (path.with_suffix(".bin").name,) if path.suffix.lower() == ".xml" else ()
    return _Export(path, signature, weights, lambda photo: openvino_answers(path, signature, photo))


def _named(folder: Path, is_it: Callable[[str], bool]) -> list[str]:
    """Return the names of files that fit, without hidden ones: macOS puts ._NAME beside what it copies."""
    try:
        return sorted(
            path.name
            for path in folder.iterdir()
            if not path.name.startswith(".") and is_it(path.name) and path.is_file()
        )
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read ({error.strerror}). Name a folder with a model.") from error


def _slug(name: str) -> str:
    """Return a name that a card may have: hyphens stand for what has no place in an address."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.") or "model"


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). Complete the folder.") from error


def _toml(plain: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a value for TOML: strings, numbers, booleans and flat lists are written as in JSON."""
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for name, values in tables.items():
        lines += ["", f"[{name}]", *(f"{_key(key)} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Format a value; characters that are no part of a line of text become replacements, except in names of classes,
    which are refused with them.
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(character if is_plain(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)
