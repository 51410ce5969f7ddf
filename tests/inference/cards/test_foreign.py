"""Checkpoints that are no exports: a sentence says how each becomes one."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.inference.cards.foreign import how_to_export
from detection.inference.errors import CheckpointError
from detection.inference.model_files import ModelSource, open_model


def torch_file(path: Path, members: dict[str, bytes]) -> None:
    """A file as torch.save writes it, a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"best/{name}", content)


CASES = {
    "ultralytics": (
        "best.pt",
        {"data.pkl": b"cultralytics.nn.tasks\nDetectionModel"},
        "`yolo export model=.*best.pt format=onnx`",
    ),
    "yolov5": (
        "last.pt",
        {"data.pkl": b"cmodels.yolo\nDetectionModel"},
        "`python export.py --weights .*last.pt --include onnx`",
    ),
    "yolox": (
        "yolox_s.pth",
        {"data.pkl": b"cyolox.models\nYOLOX"},
        "`python tools/export_onnx.py -n yolox-s -c .*yolox_s.pth`",
    ),
    "rfdetr": ("net.pth", {"data.pkl": b"crfdetr.main\n"}, "`RFDETRBase.pretrain_weights='.*net.pth'..export..`"),
    "another": ("net.pth", {"data.pkl": b"ccollections\nOrderedDict"}, "is a checkpoint of PyTorch.*torch.onnx.export"),
    "of before 2020": ("old.pth", {}, "is a checkpoint of PyTorch"),
    "TorchScript": ("best.pt", {"data.pkl": b"", "code/net.py": b""}, "is a network in TorchScript"),
    "TorchScript by name": (
        "best.torchscript",
        {},
        "is a network in TorchScript.*`yolo export model=.*best.pt format=onnx`",
    ),
    "TensorRT": ("best.engine", {}, "is an engine of TensorRT, .*`yolo export model=.*best.pt format=onnx`"),
    "safetensors": ("model.safetensors", {}, "`optimum-cli export onnx --model .* --task object-detection"),
}


@pytest.fixture(params=CASES)
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    name, members, sentence = CASES[request.param]
    path = tmp_path / name
    if members:
        torch_file(path, members)
    else:
        path.write_bytes(b"weights")
    return path, sentence


def test_every_entrance_says_how_to_export(checkpoint: tuple[Path, str], tmp_path: Path) -> None:
    path, sentence = checkpoint
    for place in (path, path.parent):
        with pytest.raises(CommandError, match=sentence):
            call_command("model_card", str(place), stdout=io.StringIO())
        with pytest.raises(CheckpointError, match=sentence):
            open_model(ModelSource(place), tmp_path / "cache")
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


@pytest.mark.django_db
def test_models_are_added_and_named_by_it(checkpoint: tuple[Path, str]) -> None:
    path, sentence = checkpoint
    for place in (path, path.parent):
        with pytest.raises(CommandError, match=sentence):
            call_command("model", "add", str(place))
    with pytest.raises(CommandError, match=sentence):
        call_command("model", "activate", str(path))


def test_an_export_beside_it_counts(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(b"weights")
    (tmp_path / "best.onnx").write_bytes(b"a network")
    assert not how_to_export(tmp_path)
    assert not how_to_export(tmp_path / "absent")
