"""Opens a model on disk, with a card or as a bare MXNet checkpoint, as a network that an engine can run."""

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

from detection.inference.cards.card import CARD_NAME, InputSpec, ModelCard, has_card, read_card
from detection.inference.cards.foreign import how_to_export
from detection.inference.class_names import read_classes
from detection.inference.convert.cache import prepare_network
from detection.inference.convert.gluoncv import convert_export
from detection.inference.errors import CheckpointError
from detection.inference.mxnet.checkpoint import checkpoint_files, load_checkpoint
from detection.inference.network import DEFAULT_THRESHOLD, OPENVINO_SUFFIXES, Network
from detection.inference.onnx.input import keep_wrapped, wrapped_onnx

DEFAULT_EDGE = 300
_SYMBOL, _PARAMS = "-symbol.json", ".params"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Location of a model.

    location: a folder with a model card, or folder/name of an MXNet checkpoint; epoch: of the latter.
    edge: of the square input in pixels; 0 for the card's, and `DEFAULT_EDGE` without a card.
    """

    location: Path
    epoch: int = 0
    edge: int = 0


def open_model(source: ModelSource, cache_dir: Path) -> Network:
    """Verify, read and convert a model (or take it from the cache). Raises CheckpointError."""
    if not has_card(source.location):
        if sentence := how_to_export(source.location):
            raise CheckpointError(sentence)
        return prepare_network(source.location, source.epoch, source.edge or DEFAULT_EDGE, cache_dir)
    card = read_card(source.location)
    card.verify_files()
    return open_card(card, source, cache_dir)


def open_card(card: ModelCard, source: ModelSource, cache_dir: Path) -> Network:
    """Read and convert the model of a card whose files were verified. Raises CheckpointError."""
    network = _OPENERS.get(card.family, _export)(card, source, cache_dir)
    return replace(
        network,
        name=card.name,
        version=card.version,
        fit=card.input.fit,
        pad=card.input.pad,
        resize=card.input.resize,
        antialias=card.input.antialias,
        threshold=card.threshold,
        tiles=card.tiles,
    )


def classes_of(source: ModelSource) -> tuple[str, ...]:
    """Return the model's class names, without loading it. Raises CheckpointError."""
    if has_card(source.location):
        return read_card(source.location).classes
    return read_classes(checkpoint_files(source.location, source.epoch).classes)


def name_and_version(source: ModelSource) -> tuple[str, str]:
    """Return the model's name and version, without loading it; a bare checkpoint has no version. Raises
    CheckpointError.
    """
    if not has_card(source.location):
        return source.location.name, ""
    card = read_card(source.location)
    return card.name, card.version


def card_threshold(source: ModelSource) -> float:
    """Return the probability above which the card reports objects; DEFAULT_THRESHOLD without a card. Raises
    CheckpointError.
    """
    return read_card(source.location).threshold if has_card(source.location) else DEFAULT_THRESHOLD


def _checkpoint(card: ModelCard, source: ModelSource, cache_dir: Path) -> Network:
    edge = card.input.size_wh[0]
    if card.input != InputSpec(size_wh=(edge, edge), resize=card.input.resize, antialias=card.input.antialias):
        raise CheckpointError(
            f"{card.folder / CARD_NAME}: `input` may hold nothing but `edge`, `resize` and `antialias` for the family "
            f"{card.family}: its networks take stretched RGB photos and normalise them themselves."
        )
    prefix, epoch = _prefix_and_epoch(card)
    network = prepare_network(prefix, epoch, source.edge or edge, cache_dir)
    if network.classes != card.classes:
        raise CheckpointError(
            f"{card.folder}: `classes` has to be the file synset.txt, which the checkpoint comes with."
        )
    sha256 = (
        card.sha256 if network.edge == edge else hashlib.sha256(f"{card.sha256} {network.edge}".encode()).hexdigest()
    )
    return replace(network, sha256=sha256, checkpoint_sha256=network.sha256)


def _prefix_and_epoch(card: ModelCard) -> tuple[Path, int]:
    symbol, params = card.only_file(_SYMBOL), card.only_file(_PARAMS)
    prefix = symbol.with_name(symbol.name.removesuffix(_SYMBOL))
    epoch = params.name.removeprefix(f"{prefix.name}-").removesuffix(_PARAMS)
    if not epoch.isdecimal():
        raise CheckpointError(f"{params} has to be named {prefix.name}-0000.params, with the number of its epoch.")
    return prefix, int(epoch)


def _gluoncv(card: ModelCard, source: ModelSource, cache_dir: Path) -> Network:
    _require_own_edge(card, source)
    prefix, epoch = _prefix_and_epoch(card)
    converted = convert_export(load_checkpoint(prefix, epoch, card.classes), card.input)
    return Network(
        name=card.name,
        family=card.family,
        onnx_path=keep_wrapped(converted.model, card.only_file(_SYMBOL), card, cache_dir),
        decoding=converted.decoding,
        classes=card.classes,
        size_wh=card.input.size_wh,
        sha256=card.sha256,
        prefix=prefix,
        epoch=epoch,
    )


def _export(card: ModelCard, source: ModelSource, cache_dir: Path) -> Network:
    _require_own_edge(card, source)
    is_onnx = not any(name.lower().endswith(OPENVINO_SUFFIXES) for name in card.files)
    path = card.only_file(".onnx") if is_onnx else _only_openvino(card)
    return Network(
        name=card.name,
        family=card.family,
        onnx_path=wrapped_onnx(card, cache_dir) if is_onnx else _wrapped_openvino(card, path, cache_dir),
        decoding=card.decoding,
        classes=card.classes,
        size_wh=card.input.size_wh,
        sha256=card.sha256,
        prefix=path.with_suffix(""),
    )


def _only_openvino(card: ModelCard) -> Path:
    """Return the card's network in OpenVINO's form or TFLite's. Raises CheckpointError where it lists several."""
    found = [name for name in card.files if name.lower().endswith((".onnx", *OPENVINO_SUFFIXES))]
    if len(found) != 1:
        raise CheckpointError(
            f"{card.folder / CARD_NAME}: [files] lists {', '.join(found)}; a card is for one network."
        )
    return card.folder / found[0]


def _wrapped_openvino(card: ModelCard, path: Path, cache_dir: Path) -> Path:
    if importlib.util.find_spec("openvino") is None:
        raise CheckpointError(
            f"{card.folder} has a network that OpenVINO alone reads, and it is not installed. Install "
            "requirements.txt, or export the network as ONNX."
        )
    from detection.inference.engines.openvino_files import wrapped_model

    return wrapped_model(card, path, cache_dir)


def _require_own_edge(card: ModelCard, source: ModelSource) -> None:
    if source.edge and (source.edge, source.edge) != card.input.size_wh:
        width, height = card.input.size_wh
        raise CheckpointError(
            f"MODEL_EDGE={source.edge} does not fit {card.name}, whose input is {width} x {height} pixels: unset it."
        )


# Errors of files that are not ONNX exports.
_OPENERS = {"mxnet_ssd": _checkpoint, "gluoncv": _gluoncv}
