"""`manage.py model_card`: a card from what an exporter writes, good enough for `manage.py model add`."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from onnx import TensorProto, helper, numpy_helper

from detection.inference.cards.card import ModelCard, read_card
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.families.base import cells_of
from detection.inference.model_files import ModelSource
from detection.serving import service as serving
from tests.support import photos
from tests.support.checkpoints import REPOSITORY

EDGE = 64
NAMES = ("cat", "dog", "bird")
ULTRALYTICS = {"author": "Ultralytics", "task": "detect", "names": str(dict(enumerate(NAMES)))}


def export(
    folder: Path,
    photo: str,
    outputs: Mapping[str, Any],
    *,
    metadata: Mapping[str, str] | None = None,
    edge: int = EDGE,
    sizes: str = "",
) -> Path:
    """A file with these names and constant outputs, each (1, ...); `sizes` is an input for the photo's size."""
    nodes = [
        helper.make_node("ReduceMean", [photo], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
    infos = []
    for name, array in outputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        weights.append(numpy_helper.from_array(array[None], f"{name}_is"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_nothing"], to=kind))
        nodes.append(helper.make_node("Add", [f"{name}_is", f"{name}_nothing"], [name]))
        infos.append(helper.make_tensor_value_info(name, kind, (1, *array.shape)))
    inputs = [helper.make_tensor_value_info(photo, TensorProto.FLOAT, ("N", 3, edge or "h", edge or "w"))]
    if sizes:
        inputs.append(helper.make_tensor_value_info(sizes, TensorProto.INT64, ("N", 2)))
    model = helper.make_model(
        helper.make_graph(nodes, "constant", inputs, infos, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, dict(metadata or {}))
    folder.mkdir(parents=True)
    onnx.save(model, folder / "net.onnx")
    return folder


def rows(count: int, *values: float) -> Any:
    """`count` rows of zeros, of which the first has these values."""
    array = np.zeros((count, len(values)), np.float32)
    array[0] = values
    return array


def queries(columns: int) -> Any:
    """Logits (4, columns) of objects that are not there, but for one."""
    logits = np.full((4, columns), -9, np.float32)
    logits[0, columns // 2] = 3
    return logits


BOXES = rows(4, 0.5, 0.5, 0.2, 0.2)
NANODET = np.full((85, 3 + 32), 0.01, np.float32)
YOLOX_CELLS = 84
CASES: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "ultralytics": ("images", {"output0": rows(84, 32, 32, 8, 8, 0, 0.9, 0).T.copy()}, ULTRALYTICS, "ultralytics"),
    "ultralytics, end to end": ("images", {"output0": rows(300, 8, 8, 32, 32, 0.9, 1)}, ULTRALYTICS, "ultralytics"),
    "yolox": ("images", {"output": rows(YOLOX_CELLS, 0, 0, 1, 1, 0.9, 0, 0.9, 0)}, {}, "yolox"),
    "nanodet": ("data", {"output": NANODET}, {}, "nanodet_plus"),
    "rtdetr": (
        "images",
        {
            "labels": np.array([1, 0, 0, 2]),
            "boxes": rows(4, 13, 19, 50, 44),
            "scores": np.array([0.9, 0, 0, 0], np.float32),
        },
        {},
        "detr",
    ),
    "rfdetr": ("input", {"dets": BOXES, "labels": queries(4)}, {}, "detr"),
    "transformers": ("pixel_values", {"logits": queries(3), "pred_boxes": BOXES}, {}, "detr"),
}


def card(folder: Path, *arguments: str) -> ModelCard:
    call_command("model_card", str(folder), *arguments, stdout=io.StringIO())
    return read_card(folder)


@pytest.mark.parametrize("case", CASES)
def test_an_export_gets_a_card_with_which_it_serves(case: str, tmp_path: Path) -> None:
    photo, outputs, metadata, family = CASES[case]
    sizes = "orig_target_sizes" if case == "rtdetr" else ""
    folder = export(tmp_path / "net", photo, outputs, metadata=metadata, sizes=sizes)
    if case == "transformers":
        (folder / "preprocessor_config.json").write_text(
            '{"do_normalize": false, "rescale_factor": 0.00392156862745098}'
        )
    if not metadata:
        (folder / "classes.txt").write_text("\n".join(NAMES), encoding="utf-8")
    drafted = card(folder, "--licence", "MIT", "--model-version", "3")
    assert (drafted.family, drafted.classes, drafted.input.size_wh) == (family, NAMES, (EDGE, EDGE))
    assert (drafted.name, drafted.version, drafted.licence, drafted.source) == ("net", "3", "MIT", "unknown")
    drafted.verify_files()
    detector = load_detector(DetectorOptions(ModelSource(folder), tmp_path / "cache", EngineOptions("onnxruntime")))
    detector.run_sanity_check(photos.encode(photos.noise((80, 60)), "PNG"))
    detector.close()


def test_the_embedded_nanodet_is_recognised(tmp_path: Path) -> None:
    embedded = REPOSITORY / "models" / "nanodet_plus_m"
    for path in embedded.iterdir():
        if path.suffix in {".onnx", ".txt"}:
            (tmp_path / path.name).symlink_to(path)
    drafted, shipped = card(tmp_path), read_card(embedded)
    assert (drafted.family, drafted.input, drafted.files) == (shipped.family, shipped.input, shipped.files)


@pytest.mark.parametrize("photo", ["images", "data", "input"])
def test_yolox_and_nanodet_are_told_apart_by_their_columns(photo: str, tmp_path: Path) -> None:
    for name, cells, columns in (("yolox", 84, len(NAMES) + 5), ("nanodet_plus", 85, len(NAMES) + 32)):
        folder = export(tmp_path / name, photo, {"output": np.full((cells, columns), 0.01, np.float32)})
        (folder / "classes.txt").write_text("\n".join(NAMES), encoding="utf-8")
        assert card(folder).family == name


def test_files_of_macos_do_not_count(tmp_path: Path) -> None:
    folder = export(tmp_path / "net", "images", {"output0": rows(300, 8, 8, 32, 32, 0.9, 1)}, metadata=ULTRALYTICS)
    (folder / "net.onnx").rename(folder / "best.ONNX")
    (folder / "._best.onnx").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "Classes.TXT").write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\nbird\r\n")
    drafted = card(folder)
    assert (set(drafted.files), drafted.classes) == ({"best.ONNX", "Classes.TXT"}, NAMES)
    assert drafted.only_file(".onnx") == folder / "best.ONNX"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My model", "My-model"),
        ("каска", "model"),
        ("..", "model"),
        ("Größe 2.0 (neu)", "Groe-2.0-neu"),
        ("a\x7fb", "a-b"),
    ],
)
def test_any_name_becomes_one_for_addresses(name: str, slug: str, tmp_path: Path) -> None:
    folder = export(tmp_path / "net", "images", {"output0": rows(300, 8, 8, 32, 32, 0.9, 1)}, metadata=ULTRALYTICS)
    drafted = card(folder, "--name", name)
    assert (drafted.name, drafted.title) == (slug, name.replace("\x7f", "\N{REPLACEMENT CHARACTER}"))
    assert card(folder.rename(tmp_path / "My folder"), "--force").name == "My-folder"


@pytest.mark.parametrize(
    ("arguments", "names", "sentence"),
    [
        pytest.param(("--model-version", "v 2"), NAMES, "`version` has to be of letters", id="version"),
        pytest.param(("--size", "9000"), NAMES, "`input.edge` has to be a whole number", id="size"),
        pytest.param((), ("a\nb", "b", "c"), "class 1 is", id="class of two lines"),
        pytest.param((), ("a", "a", "c"), "names something twice", id="class twice"),
    ],
)
def test_no_card_is_written_that_would_be_refused(
    arguments: tuple[str, ...], names: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    metadata = ULTRALYTICS | {"names": str(dict(enumerate(names)))}
    folder = export(tmp_path / "net", "images", {"output0": rows(300, 8, 8, 32, 32, 0.9, 1)}, metadata=metadata, edge=0)
    with pytest.raises(CommandError, match=sentence):
        card(folder, *(arguments if "--size" in arguments else (*arguments, "--size", "64")))
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx"]


@pytest.mark.parametrize(
    ("columns", "classes", "class_ids"),
    [
        pytest.param(3, 3, (), id="as many"),
        pytest.param(4, 3, (0, 1, 2), id="and one for nothing"),
        pytest.param(91, 80, (1, 2, 3), id="COCO's numbers"),
    ],
)
def test_the_columns_of_rf_detr_find_their_classes(
    columns: int, classes: int, class_ids: tuple[int, ...], tmp_path: Path
) -> None:
    folder = export(tmp_path / "net", "input", {"dets": BOXES, "labels": queries(columns)})
    (folder / "classes.txt").write_text("\n".join(f"class {each}" for each in range(classes)), encoding="utf-8")
    found = card(folder).decoding.class_ids
    assert found[:3] == class_ids
    assert len(found) == (classes if class_ids else 0)
    assert max(found, default=0) == (90 if classes == 80 else len(class_ids) and 2)


def test_a_free_size_and_an_unknown_scale_are_asked_for(tmp_path: Path) -> None:
    cells, strides = cells_of((64, 64), (8, 16, 32))
    boxes = np.tile(np.array([0, 0, 8, 8, 0, 0.9, 0], np.float32), (84, 1))
    boxes[:, :2] = cells * strides[:, None]
    folder = export(tmp_path / "net", "picture", {"output0": boxes.T.copy()}, edge=0)
    (folder / "classes.txt").write_text("\n".join(NAMES), encoding="utf-8")
    with pytest.raises(CommandError, match="photos of any size"):
        card(folder)
    with pytest.raises(
        CommandError, match=r"7 columns are a box and 3 classes.* nothing says how photos are scaled.*--pixels"
    ):
        card(folder, "--size", "64")
    assert not (folder / "model.toml").exists()
    drafted = card(folder, "--size", "96x64", "--pixels", "unit", "--colour", "bgr", "--fit", "letterbox")
    assert (drafted.family, drafted.input.size_wh, drafted.input.std) == ("declared", (96, 64), (255, 255, 255))
    assert (drafted.input.colour, drafted.input.fit, drafted.decoding.turned) == ("bgr", "letterbox", True)
    with pytest.raises(CommandError, match="is there already"):
        card(folder, "--size", "64")
    assert card(folder, "--pixels", "unit", "--size", "64", "--force").input.size_wh == (64, 64)
    with pytest.raises(CommandError, match="give it as 640"):
        card(folder, "--size", "large", "--force")


def test_what_cannot_be_described_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"has no network: no file ends in"):
        card(tmp_path)
    plain = export(tmp_path / "plain", "input", {"dets": BOXES, "labels": queries(9)})
    with pytest.raises(CommandError, match="does not say its classes"):
        card(plain)
    (plain / "classes.txt").write_text("\n".join(NAMES), encoding="utf-8")
    with pytest.raises(CommandError, match="tells 9 classes apart, and 3 are named"):
        card(plain)
    masks = export(
        tmp_path / "masks", "images", {"output0": rows(9, *[0] * 39)}, metadata={**ULTRALYTICS, "task": "segment"}
    )
    with pytest.raises(CommandError, match="for the task segment"):
        card(masks)
    (plain / "net.onnx").write_bytes(b"none")
    with pytest.raises(CommandError, match="is no ONNX model"):
        card(plain)


@pytest.mark.django_db
def test_two_commands_lead_from_an_export_to_a_version(tmp_path: Path, limits: Any) -> None:
    limits(data_dir=tmp_path / "data")
    folder = export(tmp_path / "net", *CASES["ultralytics"][:2], metadata=ULTRALYTICS)
    card(folder)
    out = io.StringIO()
    call_command("model", "add", str(folder), stdout=out)
    serving.stop()
    assert "Added net@1.0" in out.getvalue()


def saved_by_openvino(folder: Path) -> Path:
    """The folder with the network in OpenVINO's form in the place of the ONNX file."""
    ov = pytest.importorskip("openvino", reason="needs OpenVINO")
    ov.save_model(ov.Core().read_model(folder / "net.onnx"), folder / "net.xml", compress_to_fp16=False)
    (folder / "net.onnx").unlink()
    return folder


@pytest.mark.parametrize("case", ["yolox", "ultralytics", "rfdetr"])
def test_network_of_openvino_gets_the_card_of_its_onnx_file(case: str, tmp_path: Path) -> None:
    photo, outputs, _, _ = CASES[case]
    drafted = []
    for kind in ("onnx", "xml"):
        folder = export(tmp_path / kind / "net", photo, outputs)
        (folder / "metadata.yaml").write_text(f"names: {dict(enumerate(NAMES))}\n", encoding="utf-8")
        folder = saved_by_openvino(folder) if kind == "xml" else folder
        drafted.append(card(folder, "--size", str(EDGE), "--pixels", "unit"))
    of_onnx, of_openvino = drafted
    assert of_openvino.family == of_onnx.family
    assert (of_openvino.input, of_openvino.decoding) == (of_onnx.input, of_onnx.decoding)
    assert list(of_openvino.files) == ["net.xml", "net.bin"]


def test_network_of_openvino_without_its_weights_is_refused(tmp_path: Path) -> None:
    photo, outputs, _, _ = CASES["yolox"]
    folder = saved_by_openvino(export(tmp_path / "net", photo, outputs))
    (folder / "classes.txt").write_text("cat\ndog\nbird\n", encoding="utf-8")
    (folder / "net.bin").unlink()
    with pytest.raises(CommandError, match=r"Is net\.bin beside it\?|cannot be read"):
        card(folder, "--pixels", "unit")
    assert not (folder / "model.toml").exists()


def test_network_in_a_folder_within_is_found(tmp_path: Path) -> None:
    photo, outputs, metadata, _ = CASES["ultralytics"]
    export(tmp_path / "run" / "weights" / "net", photo, outputs, metadata=metadata)
    call_command("model_card", str(tmp_path / "run"), stdout=io.StringIO())
    assert read_card(tmp_path / "run" / "weights" / "net").name == "net"
    export(tmp_path / "run" / "other", photo, outputs, metadata=metadata)
    with pytest.raises(CommandError, match="has 2 models within it: other, weights/net"):
        call_command("model_card", str(tmp_path / "run"), stdout=io.StringIO())
