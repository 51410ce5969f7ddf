"""Drafts of model cards for the exporters of common detectors, whose settings are always the same.

An exporter is recognised by the names it gives to outputs, or by the metadata it writes into the file.
"""

import ast
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from detection.inference.class_names import is_plain, read_classes
from detection.inference.errors import CheckpointError
from detection.inference.files import file_sha256
from detection.inference.onnx.weights import external_files, read_onnx

CLASSES_NAME = "classes.txt"
_RANK = 4
_IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
_UNIT = {"std": [255, 255, 255]}
# The category numbers of COCO that are in use, out of 1 to 90 (instances_val2017.json).
_COCO_IDS = [each for each in range(1, 91) if each not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]


@dataclass(frozen=True, slots=True)
class Signature:
    """Interface of an ONNX file: its photo input, its outputs, their axes (0 where free) and its metadata."""

    photo: str
    photo_axes: tuple[int, ...]
    outputs: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Export conventions of one project.

    input: keys of `[input]` beside the size. decoding: those of `[decoding]`, for a signature and a number of classes;
    raises ValueError with the reason when there is none. is_it: predicate that recognises a file of this exporter.
    """

    title: str
    family: str
    input: Mapping[str, Any]
    decoding: Callable[[Signature, int], Mapping[str, Any]]
    is_it: Callable[[Signature, int], bool]


def _no_settings(_signature: Signature, _classes: int) -> Mapping[str, Any]:
    return {}


def _has(*outputs: str) -> Callable[[Signature, int], bool]:
    return lambda signature, _classes: set(outputs) == set(signature.outputs)


def _output_of(photo: str, columns: int) -> Callable[[Signature, int], bool]:
    """Recognise a file with one `output` of this many columns besides those of the classes, or, where the file leaves
    them free, by the name of its photo input. Exports of YOLOX and NanoDet may have the same names.
    """

    def is_it(signature: Signature, classes: int) -> bool:
        if set(signature.outputs) != {"output"}:
            return False
        found = signature.outputs["output"][-1:] or (0,)
        return found[0] == classes + columns if found[0] else signature.photo == photo

    return is_it


def _ultralytics(signature: Signature, _classes: int) -> Mapping[str, Any]:
    task = signature.metadata.get("task", "detect")
    if task != "detect":
        raise ValueError(f"it is a network for the task {task}, and only those for the task detect have plain boxes")
    (axes,) = signature.outputs.values()
    return {"head": "end_to_end" if axes[-1] == 6 else "v8"}  # noqa: PLR2004 corners, score, class


def _rf_detr(signature: Signature, classes: int) -> Mapping[str, Any]:
    names: dict[str, Any] = {"logits": "labels", "boxes": "dets"}
    columns = signature.outputs["labels"][-1]
    if columns == classes:
        return names
    if columns == max(_COCO_IDS) + 1 and classes == len(_COCO_IDS):
        return {**names, "class_ids": _COCO_IDS}
    # Models trained on custom classes keep an unused last column.
    if columns == classes + 1:
        return {**names, "class_ids": list(range(classes))}
    raise ValueError(f"it tells {columns} classes apart, and {classes} are named")


EXPORTERS: Mapping[str, Exporter] = {
    "ultralytics": Exporter(
        "Ultralytics' `yolo export format=onnx` (YOLOv5 to 26)",
        "ultralytics",
        {"fit": "letterbox", "pad": 114, **_UNIT},
        _ultralytics,
        lambda signature, _classes: signature.metadata.get("author") == "Ultralytics",
    ),
    "yolox": Exporter(
        "YOLOX' tools/export_onnx.py",
        "yolox",
        {"fit": "letterbox_top_left", "pad": 114, "colour": "bgr"},
        lambda _signature, _classes: {"decoded": False},
        _output_of("images", 5),
    ),
    "nanodet": Exporter(
        "NanoDet's tools/export_onnx.py",
        "nanodet_plus",
        {"colour": "bgr", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]},
        lambda _signature, _classes: {"activation": "none"},
        _output_of("data", 32),
    ),
    "rtdetr": Exporter(
        "tools/export_onnx.py of RT-DETR and D-FINE",
        "detr",
        _UNIT,
        lambda _signature, _classes: {"activation": "none"},
        _has("labels", "boxes", "scores"),
    ),
    "rfdetr": Exporter("RF-DETR's `model.export()`", "detr", _IMAGENET, _rf_detr, _has("dets", "labels")),
    "transformers": Exporter(
        "RT-DETR and D-FINE of Hugging Face's transformers",
        "detr",
        _UNIT,
        lambda _signature, _classes: {"boxes": "pred_boxes"},
        _has("logits", "pred_boxes"),
    ),
}


def draft_card(
    folder: Path, *, exporter: str = "", size_wh: tuple[int, int] | None = None, facts: Mapping[str, str] | None = None
) -> str:
    """Draft the card for the one ONNX file of a folder; CLASSES_NAME beside it lists one class a line.

    exporter: a key of EXPORTERS, "" to detect it. size_wh: of the input, for files that leave it free. facts: `name`,
    `version`, `licence`, `source`. Raises CheckpointError when an option is needed.
    """
    path = _only_onnx(folder)
    model = read_onnx(path)
    signature = _signature(model, path)
    listing = _named(folder, lambda name: name.lower() == CLASSES_NAME)
    classes = _class_names(folder, listing, signature, path)
    chosen = EXPORTERS[exporter or _recognised(signature, len(classes), path)]
    try:
        decoding = chosen.decoding(signature, len(classes))
    except ValueError as error:
        raise CheckpointError(
            f"{path} cannot be described: {error}. Correct {CLASSES_NAME}, or export it anew."
        ) from error
    listed = [path.name, *sorted(external_files(model)), *listing]
    facts = {
        "name": folder.resolve().name,
        "version": "1.0",
        "licence": "unknown",
        "source": "unknown",
        **(facts or {}),
    }
    tables = {
        "files": {name: _sha256(folder / name) for name in listed},
        "input": {**_size(signature, size_wh, path), **chosen.input, **_type(model, signature)},
        "decoding": decoding,
    }
    return _toml(
        {
            "name": _slug(facts["name"]),
            "title": facts["name"],
            "version": facts["version"],
            "family": chosen.family,
            "licence": facts["licence"],
            "source": facts["source"],
            "classes": listing[0] if listing else list(classes),
            "threshold": 0.5,
        },
        tables,
    )


def _only_onnx(folder: Path) -> Path:
    found = _named(folder, lambda name: name.lower().endswith(".onnx"))
    if len(found) != 1:
        raise CheckpointError(
            f"{folder} has {len(found)} files *.onnx; a card is for one. Give each a folder of its own."
        )
    return folder / found[0]


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


def _signature(model: onnx.ModelProto, path: Path) -> Signature:
    weights = {each.name for each in model.graph.initializer}
    inputs = {each.name: _axes(each) for each in model.graph.input if each.name not in weights}
    photos = [name for name, axes in inputs.items() if len(axes) == _RANK]
    if len(photos) != 1:
        raise CheckpointError(
            f"{path} has {len(photos)} inputs of four axes, and a detector of photos has exactly one."
        )
    return Signature(
        photos[0],
        inputs[photos[0]],
        {each.name: _axes(each) for each in model.graph.output},
        {each.key: each.value for each in model.metadata_props},
    )


def _axes(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)


def _recognised(signature: Signature, classes: int, path: Path) -> str:
    found = [name for name, exporter in EXPORTERS.items() if exporter.is_it(signature, classes)]
    if len(found) != 1:
        outputs = ", ".join(f"{name} {axes}" for name, axes in signature.outputs.items())
        raise CheckpointError(
            f"{path} does not say what exported it: its input is {signature.photo}, its outputs are {outputs}, and "
            f"{classes} classes are named. Correct {CLASSES_NAME}, name "
            f"it by --exporter, one of {', '.join(EXPORTERS)}, or write the card by hand (docs/models.md)."
        )
    return found[0]


def _class_names(folder: Path, listing: Sequence[str], signature: Signature, path: Path) -> Sequence[str]:
    if listing:
        return read_classes(folder / listing[0])
    try:
        names = ast.literal_eval(signature.metadata["names"])
        return [str(names[number]) for number in range(len(names))]
    except (KeyError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise CheckpointError(
            f"{path} does not say its classes. Write them into {folder / CLASSES_NAME}, one a line, in their order."
        ) from error


def _size(signature: Signature, size_wh: tuple[int, int] | None, path: Path) -> Mapping[str, int]:
    first, second, third = signature.photo_axes[1:]
    own = (second, first) if third == 3 else (third, second)  # noqa: PLR2004 channels last, or first
    width, height = size_wh or own
    if not (width and height):
        raise CheckpointError(f"{path} takes photos of any size. Say which one it was trained for: --size 640.")
    return {"edge": width} if width == height else {"width": width, "height": height}


def _type(model: onnx.ModelProto, signature: Signature) -> Mapping[str, str]:
    (photo,) = (each for each in model.graph.input if each.name == signature.photo)
    dtype = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.UINT8: "uint8"}.get(
        photo.type.tensor_type.elem_type, "float32"
    )
    layout = "nhwc" if signature.photo_axes[-1] == 3 else "nchw"  # noqa: PLR2004 channels last
    return {"dtype": dtype, "layout": layout}


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
