"""The models that a caller can choose among, for people and programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detection import known_models, serving
from detection.errors import UnknownModelError
from detection.inference.cards import read_card
from detection.inference.errors import CheckpointError
from detection.inference.network import Network
from detection.resident_models import model_folder


def models() -> list[dict[str, Any]]:
    """The default one first, then those of MODELS; what is not loaded yet is told from its card."""
    loaded = serving.loaded_models()
    active = serving.active_model()
    listed = [] if active is None else [_loaded(active, is_default=True)]
    for name in serving.config().models:
        if active is None or name != active.name:
            listed.append(_of_name(name, {key: detector.network for key, detector in loaded.items()}))
    return listed


def choices() -> list[str]:
    """The names that people can choose among, the default one first; none where there is nothing to choose."""
    default, _ = known_models.default_model()
    others = [name for name in serving.config().models if name != default]
    return [default, *others] if others else []


def resident_memory_bytes() -> int | None:
    """What this process has in memory, all models and everything else; None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)


def _of_name(name: str, loaded: Mapping[str, Network]) -> dict[str, Any]:
    if name in loaded:
        return {**_loaded(loaded[name], is_default=False), "name": name}
    try:
        card = read_card(model_folder(serving.config(), name))
    except (CheckpointError, UnknownModelError) as error:
        return _row(name, problem=str(error))
    width, height = card.input.size_wh
    return _row(
        name,
        version=card.version,
        family=card.family,
        sha256=card.sha256,
        input_width=width,
        input_height=height,
        classes=list(card.classes),
    )


def _loaded(network: Network, *, is_default: bool) -> dict[str, Any]:
    return _row(
        network.name,
        version=network.version,
        family=network.family,
        sha256=network.sha256,
        input_width=network.size_wh[0],
        input_height=network.size_wh[1],
        classes=list(network.classes),
        is_default=is_default,
        is_loaded=True,
    )


def _row(name: str, **known: Any) -> dict[str, Any]:
    unknown: dict[str, Any] = {
        "version": "",
        "family": "",
        "sha256": "",
        "input_width": None,
        "input_height": None,
        "classes": [],
    }
    return {"name": name, "is_default": False, "is_loaded": False, "problem": "", **unknown, **known}
