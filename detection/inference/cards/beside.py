"""Files that people have beside an export, and what they say of classes, size and scaling.

`classes.txt`, `labels.txt`, `*.names`: a name a line; `data.yaml`, `metadata.yaml` (Ultralytics), `config.json` and
`preprocessor_config.json` (Hugging Face), `infer_cfg.yml` (PaddleDetection), `pipeline.json` (MMDeploy).
"""

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from detection.inference.class_names import read_classes
from detection.inference.errors import CheckpointError
from detection.inference.text_files import TextError, read_text

LISTS = ("classes.txt", "labels.txt", "obj.names", "coco.names")
_YAML = ("data.yaml", "data.yml", "metadata.yaml")
_BYTE = 255
# What a list has in the place of a number that is not in use.
_UNUSED = {"N/A", "n/a"}


@dataclass(frozen=True, slots=True)
class Beside:
    """Facts from the files beside an export; empty where they have none.

    listing: the file that lists the classes, if it is one; classes: their names; class_ids: their numbers, where some
    numbers are not in use; size_wh: of the input; input: keys of a card's `[input]`; model_type: Hugging Face's;
    reasons: sentences for people.
    """

    listing: str = ""
    classes: tuple[str, ...] = ()
    class_ids: tuple[int, ...] = ()
    size_wh: tuple[int, int] = (0, 0)
    input: Mapping[str, Any] = field(default_factory=dict)
    model_type: str = ""
    reasons: tuple[str, ...] = ()


def read_beside(folder: Path, metadata: Mapping[str, str]) -> Beside:
    """Read what is beside an export in its folder, and the class names in its own metadata. Raises CheckpointError for
    a file that says something that cannot be used.
    """
    names = {path.name.lower(): path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
    config = _mapping(names.get("config.json"), json.loads)
    paddle = _mapping(names.get("infer_cfg.yml"), yaml.safe_load)
    processor = _mapping(names.get("preprocessor_config.json"), json.loads)
    pipeline = _mapping(names.get("pipeline.json"), json.loads)
    reasons: list[str] = []
    listing, classes, class_ids = _classes(names, metadata, config, paddle, reasons)
    size_wh: tuple[int, int] = (0, 0)
    scaling: Mapping[str, Any] = {}
    for name, said, reader in (
        ("preprocessor_config.json", processor, _of_processor),
        ("infer_cfg.yml", paddle, _of_paddle),
        ("pipeline.json", pipeline, _of_pipeline),
    ):
        if said and not scaling:
            size_wh, scaling = _understood(reader, said)
            reasons += [f"{name} says how photos are scaled"] * bool(scaling)
    if "imgsz" in metadata and not any(size_wh):
        size_wh = _imgsz(metadata["imgsz"])
    return Beside(listing, classes, class_ids, size_wh, scaling, str(config.get("model_type", "")), tuple(reasons))


def _understood(
    reader: Callable[[Mapping[str, Any]], tuple[tuple[int, int], dict[str, Any]]], said: Mapping[str, Any]
) -> tuple[tuple[int, int], dict[str, Any]]:
    """Return what a reader makes of a file; nothing where the file has another form: it may be of another program."""
    try:
        return reader(said)
    except (TypeError, ValueError, AttributeError, LookupError, ZeroDivisionError):
        return (0, 0), {}


def _mapping(path: Path | None, parse: Callable[[str], Any]) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        said = parse(read_text(path))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). Make it readable, or remove it.") from error
    except (TextError, ValueError, yaml.YAMLError, RecursionError):
        raise CheckpointError(f"{path} cannot be read: it is damaged. Correct it, or remove it.") from None
    return said if isinstance(said, dict) else {}


def _classes(
    names: Mapping[str, Path],
    metadata: Mapping[str, str],
    config: Mapping[str, Any],
    paddle: Mapping[str, Any],
    reasons: list[str],
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """Return the file that lists the classes, their names, and their numbers where some are not in use."""
    for name in LISTS:
        if name in names:
            reasons.append(f"the classes are those of {names[name].name}")
            return names[name].name, read_classes(names[name]), ()
    said: list[tuple[str, Any]] = [(name, _mapping(names.get(name), yaml.safe_load).get("names")) for name in _YAML]
    said.insert(0, ("the file's metadata", _literal(metadata.get("names", ""))))
    said += [("config.json", config.get("id2label")), ("infer_cfg.yml", paddle.get("label_list"))]
    for source, given in said:
        found = _numbered(given)
        if found:
            reasons.append(f"the classes are those of {source}")
            used = {number: name for number, name in found.items() if name not in _UNUSED}
            has_gaps = list(used) != list(range(len(used)))
            return "", tuple(used.values()), tuple(used) if has_gaps else ()
    return "", (), ()


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _numbered(given: Any) -> dict[int, str]:
    """Return names by their numbers, in order, of a list or a mapping; none where it is neither."""
    pairs = enumerate(given) if isinstance(given, list | tuple) else given.items() if isinstance(given, dict) else ()
    try:
        return dict(sorted((int(number), str(name)) for number, name in pairs))
    except (TypeError, ValueError):
        return {}


def _imgsz(text: str) -> tuple[int, int]:
    """Return width and height of Ultralytics' `imgsz`, which has the height first."""
    given = _literal(text)
    sides = [given, given] if isinstance(given, int) else list(given) if isinstance(given, list | tuple) else []
    if len(sides) != 2 or not all(type(side) is int for side in sides):  # noqa: PLR2004 height and width
        return 0, 0
    return sides[1], sides[0]


def _three(given: Any, factor: float) -> list[float]:
    """Return three numbers times a factor. Raises ValueError."""
    if not isinstance(given, list) or len(given) != 3:  # noqa: PLR2004 colours
        raise ValueError("three numbers are needed")
    return [round(float(each) * factor, 4) for each in given]


def _of_processor(said: Mapping[str, Any]) -> tuple[tuple[int, int], dict[str, Any]]:
    """Read Hugging Face's preprocessor_config.json: pixel = (byte * rescale_factor - image_mean) / image_std."""
    size = said.get("size") or {}
    size_wh = (int(size.get("width", 0)), int(size.get("height", 0))) if isinstance(size, dict) else (0, 0)
    factor = float(said.get("rescale_factor", 1 / _BYTE)) if said.get("do_rescale", True) else 1.0
    scale = 1 / factor
    if not said.get("do_normalize", True):
        return size_wh, {"std": [round(scale, 4)] * 3}
    try:
        return size_wh, {"mean": _three(said.get("image_mean"), scale), "std": _three(said.get("image_std"), scale)}
    except (TypeError, ValueError):
        return size_wh, {}


def _of_paddle(said: Mapping[str, Any]) -> tuple[tuple[int, int], dict[str, Any]]:
    """Read PaddleDetection's infer_cfg.yml, whose `Preprocess` is a list of steps."""
    steps = {each.get("type"): each for each in said.get("Preprocess") or [] if isinstance(each, dict)}
    normalise, resize = steps.get("NormalizeImage"), steps.get("Resize") or {}
    target = resize.get("target_size") or [0, 0]
    size_wh = (int(target[1]), int(target[0])) if isinstance(target, list) else (int(target), int(target))
    fit = {"fit": "letterbox_top_left"} if resize.get("keep_ratio") else {}
    if normalise is None:
        return size_wh, fit
    factor = _BYTE if normalise.get("is_scale", True) else 1
    if normalise.get("norm_type", "mean_std") == "none":
        return size_wh, {**fit, "std": [factor] * 3}
    try:
        mean, std = _three(normalise.get("mean"), factor), _three(normalise.get("std"), factor)
    except (TypeError, ValueError):
        return size_wh, {}
    return size_wh, {**fit, "mean": mean, "std": std}


def _of_pipeline(said: Mapping[str, Any]) -> tuple[tuple[int, int], dict[str, Any]]:
    """Read MMDeploy's pipeline.json, whose first task has the transforms of a photo."""
    tasks = (said.get("pipeline") or {}).get("tasks") or [{}]
    steps = {each.get("type"): each for each in tasks[0].get("transforms") or [] if isinstance(each, dict)}
    normalise, resize = steps.get("Normalize"), steps.get("Resize") or {}
    target = resize.get("size") or [0, 0]
    size_wh = (int(target[0]), int(target[1])) if isinstance(target, list) and len(target) > 1 else (0, 0)
    pad = ((steps.get("Pad") or {}).get("pad_val") or {}) if isinstance(steps.get("Pad"), dict) else {}
    grey = pad.get("img", 0) if isinstance(pad, dict) else pad
    fit = {"fit": "letterbox_top_left", "pad": int(grey[0] if isinstance(grey, list) else grey)}
    try:
        mean, std = _three((normalise or {}).get("mean"), 1), _three((normalise or {}).get("std"), 1)
    except (TypeError, ValueError):
        return size_wh, {}
    colour = "rgb" if (normalise or {}).get("to_rgb", True) else "bgr"
    return size_wh, {**(fit if resize.get("keep_ratio") else {}), "colour": colour, "mean": mean, "std": std}
