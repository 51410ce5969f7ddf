"""List of the models to choose from, for people and programs."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from detection.conf import current
from detection.errors import AmbiguousModelError, UnknownModelError
from detection.history.selectors import ModelKey
from detection.inference.cards.card import read_card
from detection.inference.detector import Detector
from detection.inference.errors import CheckpointError
from detection.inference.model_files import ModelSource, name_and_version
from detection.inference.network import Network, full_name
from detection.registry import catalogue
from detection.serving import points
from detection.serving import service as serving
from detection.serving.locations import added_versions, model_folder


def models() -> list[dict[str, Any]]:
    """Return the default model first, then those of MODELS, then added versions, each by its value of `?model=`.

    Models not loaded yet are described from their cards.
    """
    config, active = current.config(), serving.active_detector()
    loaded = serving.other_models()
    others = [_of_name(name, loaded) for name in dict.fromkeys((*config.models, *added_versions(config)))]
    if active is None:
        return others
    return [
        _loaded(active, is_default=True, problem=serving.active_problem()),
        *(_beside(active.network, row) for row in others if not _is(active.network, row)),
    ]


def choices() -> list[str]:
    """Return the names to choose from, the default one first; none where there is nothing to choose."""
    default, _ = catalogue.default_model()
    others = [name for name in current.config().models if name != default]
    return [default, *others] if others else []


def references() -> list[tuple[str, ModelKey]]:
    """Return what callers may request, the default first: each value of `?model=`, with the model's name and version.

    Nothing is loaded; a model whose card cannot be read is left out. None where that is the default.
    """
    config = current.config()
    try:
        default = catalogue.default_model()
    except CheckpointError:
        return []
    found = {default: default[0]}
    for name in dict.fromkeys((*config.models, *added_versions(config))):
        with suppress(UnknownModelError, AmbiguousModelError, CheckpointError):
            found.setdefault(_name_and_version(name), name)
    # Under its bare name a caller gets the default.
    return [
        (full_name(*model) if model != default and reference == default[0] else reference, model)
        for model, reference in found.items()
    ]


def _name_and_version(reference: str) -> ModelKey:
    loaded = serving.other_models().get(reference)
    if loaded is not None:
        return loaded.network.name, loaded.network.version
    return name_and_version(ModelSource(model_folder(current.config(), reference)))


def resident_memory_bytes() -> int | None:
    """Return the resident memory of this process, all models and everything else; None where the system does not report
    it.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)


def _is(active: Network, row: Mapping[str, Any]) -> bool:
    return row["name"] in {active.name, active.full_name} and row["version"] in {active.version, ""}


def _beside(active: Network, row: dict[str, Any]) -> dict[str, Any]:
    """Qualify other models of the default's name by their version."""
    return {**row, "name": f"{row['name']}@{row['version']}"} if row["name"] == active.name else row


def _of_name(name: str, loaded: Mapping[str, Detector]) -> dict[str, Any]:
    if name in loaded:
        row = _loaded(loaded[name], is_default=False)
        return {**row, "name": name}
    try:
        folder = model_folder(current.config(), name)
    except (UnknownModelError, AmbiguousModelError) as error:
        return _row(name, problem=str(error))
    try:
        card = read_card(folder)
    except CheckpointError as error:
        # Its path on the server is not for callers.
        return _row(name, problem=str(error).replace(str(folder), name))
    width, height = card.input.size_wh
    return _row(
        name,
        version=card.version,
        family=card.family,
        sha256=card.sha256,
        input_width=width,
        input_height=height,
        classes=list(card.classes),
        **points.describe(card.name, card.version),
        problem=serving.load_problem(name),
    )


def _loaded(detector: Detector, *, is_default: bool, problem: str = "") -> dict[str, Any]:
    network = detector.network
    return _row(
        network.name,
        version=network.version,
        family=network.family,
        sha256=network.sha256,
        input_width=network.size_wh[0],
        input_height=network.size_wh[1],
        classes=list(network.classes),
        **points.describe(network.name, network.version),
        is_default=is_default,
        is_loaded=True,
        precision=detector.engine.precision,
        precision_reason=detector.precision_reason,
        problem=problem,
    )


def _row(name: str, **known: Any) -> dict[str, Any]:
    unknown: dict[str, Any] = {
        "version": "",
        "family": "",
        "sha256": "",
        "precision": "",
        "precision_reason": "",
        "input_width": None,
        "input_height": None,
        "classes": [],
        "operating_point": None,
        "class_thresholds": {},
    }
    return {"name": name, "is_default": False, "is_loaded": False, "problem": "", **unknown, **known}
