"""Files beside an export: classes, sizes and scaling, in the words of each project."""

import json
from pathlib import Path
from typing import Any

import pytest

from detection.inference.cards.beside import Beside, read_beside
from detection.inference.errors import CheckpointError

NAMES = ("cat", "dog")
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PREPROCESS = {"mean": IMAGENET[0], "std": IMAGENET[1], "is_scale": True}


def beside(folder: Path, files: dict[str, str], **metadata: str) -> Beside:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return read_beside(folder, metadata)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "cat\ndog\n"),
        ("labels.txt", "cat\ndog\n"),
        ("obj.names", "cat\ndog\n"),
        ("data.yaml", "train: a\nnames: [cat, dog]\n"),
        ("data.yaml", "names:\n  1: dog\n  0: cat\n"),
        ("metadata.yaml", "names:\n  0: cat\n  1: dog\n"),
        ("config.json", '{"id2label": {"1": "dog", "0": "cat"}, "model_type": "yolos"}'),
        ("infer_cfg.yml", "label_list:\n- cat\n- dog\n"),
    ],
)
def test_classes_are_read_from_what_people_have(name: str, text: str, tmp_path: Path) -> None:
    found = beside(tmp_path, {name: text})
    assert (found.classes, found.class_ids) == (NAMES, ())
    assert any(name in reason for reason in found.reasons)


def test_the_list_comes_before_the_metadata_and_that_before_other_files(tmp_path: Path) -> None:
    assert beside(tmp_path, {"data.yaml": "names: [a, b]"}, names="{0: 'cat', 1: 'dog'}").classes == NAMES
    assert beside(tmp_path, {"labels.txt": "x\ny\n"}, names="{0: 'cat', 1: 'dog'}").classes == ("x", "y")


def test_numbers_that_are_not_in_use_are_left_out(tmp_path: Path) -> None:
    labels = {"0": "N/A", "1": "person", "2": "N/A", "3": "car"}
    found = beside(tmp_path, {"config.json": json.dumps({"id2label": labels})})
    assert (found.classes, found.class_ids) == (("person", "car"), (1, 3))


@pytest.mark.parametrize(
    ("said", "size_wh", "scaling"),
    [
        (
            {"size": {"height": 480, "width": 640}, "image_mean": IMAGENET[0], "image_std": IMAGENET[1]},
            (640, 480),
            {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
        ),
        (
            {"do_normalize": False, "rescale_factor": 1 / 255, "size": {"shortest_edge": 800}},
            (0, 0),
            {"std": [255.0] * 3},
        ),
        ({"do_normalize": False, "do_rescale": False}, (0, 0), {"std": [1.0] * 3}),
        ({"image_mean": [0.5]}, (0, 0), {}),
    ],
)
def test_a_processor_says_size_and_scale(
    said: dict[str, Any], size_wh: tuple[int, int], scaling: dict[str, Any], tmp_path: Path
) -> None:
    found = beside(tmp_path, {"preprocessor_config.json": json.dumps(said)})
    assert found.size_wh == size_wh
    assert {key: pytest.approx(value, rel=1e-4) for key, value in found.input.items()} == scaling


def test_paddle_and_mmdeploy_say_size_and_scale(tmp_path: Path) -> None:
    steps = [
        {"type": "Resize", "target_size": [320, 416], "keep_ratio": False},
        {"type": "NormalizeImage", **PREPROCESS},
    ]
    paddle = beside(tmp_path, {"infer_cfg.yml": json.dumps({"Preprocess": steps})})
    assert (paddle.size_wh, paddle.input["mean"]) == ((416, 320), [123.675, 116.28, 103.53])
    (tmp_path / "infer_cfg.yml").unlink()
    transforms = [
        {"type": "Resize", "size": [640, 480], "keep_ratio": True},
        {"type": "Normalize", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395], "to_rgb": False},
        {"type": "Pad", "pad_val": {"img": [114, 114, 114]}},
    ]
    pipeline = {"pipeline": {"tasks": [{"name": "Preprocess", "transforms": transforms}]}}
    mmdeploy = beside(tmp_path, {"pipeline.json": json.dumps(pipeline)})
    assert mmdeploy.size_wh == (640, 480)
    assert mmdeploy.input == {
        "fit": "letterbox_top_left",
        "pad": 114,
        "colour": "bgr",
        "mean": [103.53, 116.28, 123.675],
        "std": [57.375, 57.12, 58.395],
    }


@pytest.mark.parametrize(("imgsz", "size_wh"), [("[480, 640]", (640, 480)), ("320", (320, 320)), ("[1]", (0, 0))])
def test_imgsz_of_ultralytics_has_the_height_first(imgsz: str, size_wh: tuple[int, int], tmp_path: Path) -> None:
    assert beside(tmp_path, {}, imgsz=imgsz).size_wh == size_wh


@pytest.mark.parametrize(
    ("name", "text"), [("config.json", "{"), ("data.yaml", "names: [a"), ("preprocessor_config.json", "\x00")]
)
def test_a_damaged_file_is_named(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"{name} cannot be read: it is damaged"):
        beside(tmp_path, {name: text})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "[]"),
        ("preprocessor_config.json", '{"size": 3, "rescale_factor": 0, "image_mean": "x"}'),
        ("infer_cfg.yml", "Preprocess: 3\nlabel_list: 4"),
        ("pipeline.json", '{"pipeline": {"tasks": 3}}'),
        ("pipeline.json", '{"pipeline": []}'),
        ("data.yaml", "names: 4"),
    ],
)
def test_files_of_another_form_say_nothing(name: str, text: str, tmp_path: Path) -> None:
    found = beside(tmp_path, {name: text})
    assert (found.classes, found.size_wh, dict(found.input)) == ((), (0, 0), {})
