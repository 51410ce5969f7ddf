"""Drafts of model cards for the exporters of common detectors, whose settings are always the same.

An exporter is recognised by the names it gives to outputs, or by the metadata it writes into the file.
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from detection.inference.class_names import read_classes
from detection.inference.errors import CheckpointError
from detection.inference.files import file_sha256
from detection.inference.onnx_weights import external_files, read_onnx

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
    is_it: Callable[[Signature], bool]


def _no_settings(_signature: Signature, _classes: int) -> Mapping[str, Any]:
    return {}


def _has(*outputs: str) -> Callable[[Signature], bool]:
    return lambda signature: set(outputs) == set(signature.outputs)


def _named(photo: str, output: str) -> Callable[[Signature], bool]:
    return lambda signature: signature.photo == photo and set(signature.outputs) == {output}


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
        lambda signature: signature.metadata.get("author") == "Ultralytics",
    ),
    "yolox": Exporter(
        "YOLOX' tools/export_onnx.py",
        "yolox",
        {"fit": "letterbox_top_left", "pad": 114, "colour": "bgr"},
        lambda _signature, _classes: {"decoded": False},
        _named("images", "output"),
    ),
    "nanodet": Exporter(
        "NanoDet's tools/export_onnx.py",
        "nanodet_plus",
        {"colour": "bgr", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]},
        lambda _signature, _classes: {"activation": "none"},
        _named("data", "output"),
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
    chosen = EXPORTERS[exporter or _recognised(signature, path)]
    classes = _class_names(folder, signature, path)
    try:
        decoding = chosen.decoding(signature, len(classes))
    except ValueError as error:
        raise CheckpointError(
            f"{path} cannot be described: {error}. Correct {CLASSES_NAME}, or export it anew."
        ) from error
    listed = [path.name, *sorted(external_files(model)), *_existing(folder, CLASSES_NAME)]
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
            "name": facts["name"],
            "title": facts["name"],
            "version": facts["version"],
            "family": chosen.family,
            "licence": facts["licence"],
            "source": facts["source"],
            "classes": CLASSES_NAME if (folder / CLASSES_NAME).is_file() else list(classes),
            "threshold": 0.5,
        },
        tables,
    )


def _only_onnx(folder: Path) -> Path:
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise CheckpointError(
            f"{folder} has {len(found)} files *.onnx; a card is for one. Give each a folder of its own."
        )
    return found[0]


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


def _recognised(signature: Signature, path: Path) -> str:
    found = [name for name, exporter in EXPORTERS.items() if exporter.is_it(signature)]
    if len(found) != 1:
        outputs = ", ".join(f"{name} {axes}" for name, axes in signature.outputs.items())
        raise CheckpointError(
            f"{path} does not say what exported it: its input is {signature.photo}, its outputs are {outputs}. Name "
            f"it by --exporter, one of {', '.join(EXPORTERS)}, or write the card by hand (docs/models.md)."
        )
    return found[0]


def _class_names(folder: Path, signature: Signature, path: Path) -> Sequence[str]:
    if (folder / CLASSES_NAME).is_file():
        return read_classes(folder / CLASSES_NAME)
    try:
        names = ast.literal_eval(signature.metadata["names"])
        return [str(names[number]) for number in range(len(names))]
    except (KeyError, ValueError, SyntaxError, TypeError) as error:
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


def _existing(folder: Path, name: str) -> list[str]:
    return [name] if (folder / name).is_file() else []


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). Complete the folder.") from error


def _toml(plain: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Format a value for TOML: strings, numbers, booleans and flat lists are written as in JSON."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    for name, values in tables.items():
        lines += ["", f"[{name}]", *(f"{_key(key)} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)
