"""Files of trained networks that are no exports: how each becomes one, in a sentence."""

import zipfile
from pathlib import Path

_TORCH = (".pt", ".pth", ".ckpt")
_SAFETENSORS, _ENGINES, _TORCHSCRIPT = ".safetensors", (".engine", ".plan", ".trt"), (".torchscript", ".ts")
_SUFFIXES = (*_TORCH, _SAFETENSORS, *_ENGINES, *_TORCHSCRIPT, ".torchscript.pt")
_PROJECTS = {
    b"ultralytics": "`yolo export model={} format=onnx`",
    b"models.yolo": "`python export.py --weights {} --include onnx` of its repository",
    b"rfdetr": "`RFDETRBase(pretrain_weights='{}').export()` of RF-DETR, or the class of its size,",
    b"yolox": "`python tools/export_onnx.py -n yolox-s -c {}` of YOLOX, with -n for its size,",
}
_PICKLE_BYTES = 1 << 24
_ONNX_ALONE = "A model is taken as an ONNX file"


def how_to_export(place: Path) -> str:
    """Return how the checkpoint at a path, or the one in a folder without an ONNX file, is exported; "" where there is
    none.
    """
    found = _foreign(place)
    if found is None:
        return ""
    name = found.name
    if name.lower().endswith(_ENGINES):
        return (
            f"{found} is an engine of TensorRT, which fits one GPU and version alone. {_ONNX_ALONE}: take the one that "
            f"it was built from, or export the checkpoint again, by {_of_ultralytics(found)} for Ultralytics."
        )
    if name.lower().endswith(_SAFETENSORS):
        return (
            f"{found} has weights without their network. {_ONNX_ALONE}: `optimum-cli export onnx --model "
            f"{found.parent} --task object-detection {found.parent}-onnx` makes it."
        )
    if name.lower().endswith(_TORCHSCRIPT) or _is_torchscript(found):
        return (
            f"{found} is a network in TorchScript. {_ONNX_ALONE}: export it from the checkpoint that it was made of, "
            f"by {_of_ultralytics(found)} for Ultralytics, or by torch.onnx.export."
        )
    return f"{found} is a checkpoint of PyTorch. {_ONNX_ALONE}: {_command(found)} makes it (docs/models.md)."


def _foreign(place: Path) -> Path | None:
    if place.name.lower().endswith(_SUFFIXES) and not place.is_dir():
        return place
    try:
        names = sorted(path for path in place.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError:
        return None
    if any(path.name.lower().endswith(".onnx") for path in names):
        return None
    return next((path for path in names if path.name.lower().endswith(_SUFFIXES)), None)


def _is_torchscript(path: Path) -> bool:
    return any("/code/" in name for name in _members(path))


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return []


def _of_ultralytics(path: Path) -> str:
    return _PROJECTS[b"ultralytics"].format(path.with_name(path.name.split(".")[0] + ".pt"))


def _command(path: Path) -> str:
    """Return the export command of the project whose classes a checkpoint names. Nothing of it is unpickled."""
    pickled = b""
    for name in _members(path):
        if name.endswith("data.pkl"):
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                pickled = file.read(_PICKLE_BYTES)
    for mark, command in _PROJECTS.items():
        if mark in pickled:
            return command.format(path)
    return (
        f"{_PROJECTS[b'ultralytics'].format(path)} (Ultralytics), the export of its own project, or torch.onnx.export"
    )
