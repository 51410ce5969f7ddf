"""`manage.py evaluate` on small datasets, and on COCO photos where they are at hand."""

import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.inference.detector import Detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource, open_model
from detection.inference.precision import choice
from detection.inference.precision.choice import TABLE_NAME
from tests.evaluation.builders import write_coco, write_voc, write_yolo
from tests.support.checkpoints import EMBEDDED_PREFIX, REPOSITORY

# The active version is asked for.
pytestmark = pytest.mark.django_db
ANNOTATED = REPOSITORY.parent / "shared" / "annotated"


def evaluate(*arguments: object, **options: Any) -> str:
    output = io.StringIO()
    call_command("evaluate", *map(str, arguments), stdout=output, **options)
    return output.getvalue()


def measured(tmp_path: Path, *arguments: object) -> dict[str, Any]:
    """The JSON of an evaluation."""
    evaluate(*arguments, "--json", tmp_path / "measured.json")
    document: dict[str, Any] = json.loads((tmp_path / "measured.json").read_bytes())
    return document


def test_both_styles_of_one_dataset_give_the_same_numbers(tmp_path: Path) -> None:
    voc = measured(tmp_path, write_voc(tmp_path / "voc"))
    coco = measured(tmp_path, write_coco(tmp_path / "coco"))
    assert voc["precisions"]["f32"]["scores"] == coco["precisions"]["f32"]["scores"]
    assert (voc["dataset"]["unknown_objects"], coco["dataset"]["unknown_objects"]) == ({}, {"giraffe": 1})
    scores = voc["precisions"]["f32"]["scores"]
    assert scores["objects"] == 3
    assert (scores["voc_ap_11_point"], scores["voc_ap_all_point"], scores["coco_ap50"]) == pytest.approx((1, 1, 1))
    assert 0.9 < scores["coco_ap"] <= 1
    assert scores["recall"] == 1.0
    assert {row["name"] for row in scores["classes"] if row["objects"]} == {"cat", "person", "motorbike"}


def test_people_are_shown_tables_and_what_was_left_out(tmp_path: Path) -> None:
    output = evaluate(write_coco(tmp_path / "street"), "--limit", 1)
    assert "AP@[.5:.95]" in output
    assert "cat" in output
    assert "motorbike" not in output
    assert "\N{HORIZONTAL ELLIPSIS}" not in output, "a column is cut off"
    assert "1 objects in 1 photos of street (COCO); 1 objects of classes that the model does not know" in output
    assert "are a model's own boxes that people confirmed, the figures flatter that model." in output
    assert output.endswith("Those of blind reviews do not: `manage.py export --blind 1`.\n")


@pytest.mark.parametrize("write", [write_voc, write_coco, write_yolo])
def test_a_zip_is_measured_as_its_folder_is(write: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "street")
    zipped = shutil.make_archive(str(tmp_path / "street"), "zip", folder)
    scores = [measured(tmp_path, each)["precisions"]["f32"]["scores"] for each in (folder, zipped)]
    assert scores[0] == scores[1]
    assert scores[0]["objects"] == 3


def test_tiles_are_compared_side_by_side(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "street")
    with mock.patch.object(Detector, "detect", autospec=True, side_effect=Detector.detect) as detect:
        found = measured(tmp_path, folder, "--tiles", "1,2")["tiles"]
    assert [call.kwargs["tiles"] for call in detect.call_args_list] == ["1", "2"] * (len(detect.call_args_list) // 2)
    plain = measured(tmp_path, folder)["precisions"]["f32"]["scores"]
    assert (list(found), found["1"]["scores"]) == (["1", "2"], plain)
    assert found["2"]["scores"]["coco_ap"] > 0.5
    # Its objects have more than 96 x 96 pixels.
    assert (plain["coco_ap_small"], plain["coco_ap_large"]) == (None, plain["coco_ap"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--tiles", "9"], "9 is no choice of tiles. Use some of 1, 2, 3, auto", id="unknown"),
        pytest.param(["--tiles", "1,2", "--compare", "f32,bf16"], "Compare tiles, or models, or precisions", id="both"),
    ],
)
def test_tiles_that_cannot_be_compared_are_said(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=sentence):
        evaluate(write_coco(tmp_path / "street"), *arguments)


def test_tables_are_framed_as_the_output_can_show(tmp_path: Path) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    call_command("evaluate", str(write_coco(tmp_path / "street")), "--limit", "1", stdout=output)
    output.flush()
    assert "| f32" in output.buffer.getvalue().decode("latin-1")


def test_the_limit_takes_the_first_photos(tmp_path: Path) -> None:
    document = measured(tmp_path, write_coco(tmp_path / "coco"), "--limit", 2)
    assert document["dataset"]["photos"] == 2


@pytest.fixture
def own_checkpoint(tmp_path: Path, limits: Any) -> Path:
    """A copy of the embedded checkpoint and its int8 model, whose folder may be written; without the table."""
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_PREFIX.parent, folder)
    (folder / TABLE_NAME).unlink()
    limits(model_prefix=folder / EMBEDDED_PREFIX.name)
    return folder


def test_precisions_are_compared_and_the_table_lets_auto_choose(own_checkpoint: Path, tmp_path: Path) -> None:
    dataset = write_voc(tmp_path / "voc")
    document = measured(tmp_path, dataset, "--compare", "f32,int8", "--write-table")
    assert list(document["precisions"]) == ["f32", "int8"]
    for row in document["precisions"].values():
        assert row["engine"] == "openvino"
        assert 0 < row["inference_ms"] <= row["with_decoding_ms"]
    int8 = json.loads((own_checkpoint / "mobilenet_ssd_voc-0000-int8.json").read_bytes())
    assert document["precisions"]["int8"]["model_sha256"] == int8["sha256"]
    table = json.loads((own_checkpoint / TABLE_NAME).read_bytes())
    rows = table["engines"]["openvino"]
    assert (rows["photos"], rows["objects"], sorted(rows["precisions"])) == (3, 3, ["f32", "int8"])
    assert rows["precisions"]["int8"]["model_sha256"] == int8["sha256"]


def test_plots_show_the_classes_that_occur(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    evaluate(write_coco(tmp_path / "coco"), "--plots", tmp_path / "plots")
    (plot,) = (tmp_path / "plots").iterdir()
    assert plot.name == "precision-recall-f32.png"
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_plots_without_matplotlib_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CommandError, match="pip install matplotlib"):
        evaluate(write_coco(tmp_path / "coco"), "--plots", tmp_path / "plots")


def test_models_are_compared_on_the_classes_that_both_know(tmp_path: Path) -> None:
    dataset = write_coco(tmp_path / "coco")
    document = measured(tmp_path, dataset, "--models", "mobilenet_ssd_voc,nanodet_plus_m")
    assert list(document["models"]) == ["mobilenet_ssd_voc", "nanodet_plus_m"]
    for row in document["models"].values():
        assert row["scores"]["objects"] == 3
        assert row["scores"]["coco_ap50"] == pytest.approx(1)
    # A giraffe is known to one of them only, and a motorbike is the other one's motorcycle.
    found = [
        [each["name"] for each in row["scores"]["classes"] if each["objects"]] for row in document["models"].values()
    ]
    assert [sorted(names) for names in found] == [["cat", "motorbike", "person"], ["cat", "motorcycle", "person"]]
    table = evaluate(dataset, "--models", "nanodet_plus_m,mobilenet_ssd_voc", "--classes", "cat")
    assert table.index("nanodet_plus_m") < table.index("mobilenet_ssd_voc")
    assert "1 objects in 3 photos of coco (COCO); all others were left out" in table


WRONG: dict[str, tuple[list[str], str]] = {
    "a model that is none": (
        ["--models", "mobilenet_ssd_voc,resnet"],
        "no model resnet. Use one of mobilenet_ssd_voc",
    ),
    "models and precisions": (
        ["--models", "nanodet_plus_m", "--compare", "f32,bf16"],
        "models or precisions, not both",
    ),
    "a precision that is none": (["--compare", "f32,f8"], "f8 is no precision. Use some of f32, bf16, f16, int8"),
    "auto cannot be compared": (["--compare", "auto"], "auto is no precision"),
    "a table needs a base": (["--compare", "int8", "--write-table"], "The table needs f32"),
    "a file in no folder": (["--json", "/nowhere/at/all.json"], "cannot be written: .* Name another file"),
    "plots below a file": (["--plots", f"{EMBEDDED_PREFIX}-symbol.json/plots"], "cannot be written: .* another folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_done_is_said_in_a_sentence(case: str, tmp_path: Path) -> None:
    arguments, sentence = WRONG[case]
    with pytest.raises(CommandError, match=sentence):
        evaluate(write_coco(tmp_path / "coco"), *arguments)


def test_a_folder_without_annotations_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no annotations"):
        evaluate(tmp_path)


def test_a_damaged_photo_is_named(tmp_path: Path) -> None:
    folder = write_voc(tmp_path / "voc")
    (folder / "JPEGImages" / "chelsea.jpg").write_bytes(b"no photo")
    with pytest.raises(CommandError, match=r"chelsea\.jpg: The photo cannot be read"):
        evaluate(folder)


def test_int8_without_its_model_says_what_to_run(own_checkpoint: Path, tmp_path: Path) -> None:
    (own_checkpoint / "mobilenet_ssd_voc-0000-int8.onnx").unlink()
    with pytest.raises(CommandError, match=r"manage\.py quantize"):
        evaluate(write_coco(tmp_path / "coco"), "--compare", "f32,int8")


def test_a_dataset_of_unknown_classes_gives_no_table(own_checkpoint: Path, tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "coco")
    document = json.loads((folder / "annotations.json").read_bytes())
    for category in document["categories"]:
        category["name"] = "giraffe"
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CommandError, match="nothing to compare"):
        evaluate(folder, "--write-table")
    assert not (own_checkpoint / TABLE_NAME).exists()


@pytest.mark.skipif(not ANNOTATED.is_dir(), reason="needs the folder shared/annotated beside the repository")
def test_the_embedded_model_is_as_good_on_coco_photos_as_is_known(tmp_path: Path) -> None:
    document = measured(tmp_path, ANNOTATED, "--compare", "f32,int8")
    f32, int8 = (document["precisions"][name]["scores"] for name in ("f32", "int8"))
    assert (f32["coco_ap50"], f32["coco_ap"]) == pytest.approx((0.496, 0.350), abs=0.005)
    # The rest of the network runs in bf16 on CPUs that have it (0.344), else in f32 (0.349).
    assert int8["coco_ap"] == pytest.approx(0.3465, abs=0.004)
    assert document["dataset"]["photos"] == 64


@pytest.mark.skipif(not ANNOTATED.is_dir(), reason="needs the folder shared/annotated beside the repository")
def test_both_embedded_models_in_one_table_are_as_good_as_is_known(tmp_path: Path) -> None:
    models = measured(tmp_path, ANNOTATED, "--models", "nanodet_plus_m,mobilenet_ssd_voc")["models"]
    known = {"nanodet_plus_m": (0.694, 0.497), "mobilenet_ssd_voc": (0.496, 0.350)}
    for name, numbers in known.items():
        scores = models[name]["scores"]
        assert scores["objects"] == 287
        assert (scores["coco_ap50"], scores["coco_ap"]) == pytest.approx(numbers, abs=0.003)


@pytest.mark.skipif(not ANNOTATED.is_dir(), reason="needs the folder shared/annotated beside the repository")
@pytest.mark.parametrize(
    ("resizing", "numbers"),
    [
        # models/nanodet_plus_m/PROVENANCE.md: so it was measured where it comes from.
        pytest.param("antialias = false", (0.702, 0.499), id="as it was trained"),
        # The service averages, and converts the colours of the ten photos whose profile is not sRGB's.
        pytest.param("", (0.694, 0.497), id="ours"),
    ],
)
def test_nanodet_plus_is_as_good_on_coco_photos_as_is_known(
    resizing: str, numbers: tuple[float, float], limits: Any, tmp_path: Path
) -> None:
    folder = shutil.copytree(REPOSITORY / "models" / "nanodet_plus_m", tmp_path / "nanodet_plus_m")
    card = folder / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("[input]\n", f"[input]\n{resizing}\n"), encoding="utf-8")
    limits(model_prefix=folder, model_edge=0)
    scores = measured(tmp_path, ANNOTATED, "--classes", "voc")["precisions"]["f32"]["scores"]
    assert (scores["coco_ap50"], scores["coco_ap"]) == pytest.approx(numbers, abs=0.005)
    assert scores["objects"] == 287


def test_classes_that_the_model_does_not_know_are_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="none of the classes giraffe"):
        evaluate(write_coco(tmp_path / "street"), "--classes", "giraffe")


@pytest.mark.parametrize(("name", "chosen"), [("nanodet_plus_m", "bf16"), ("mobilenet_ssd_voc", "bf16")])
def test_the_shipped_tables_are_of_the_shipped_files(
    name: str, chosen: str, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "offered_precisions", lambda _: ("int8", "bf16", "f32"))
    network = open_model(ModelSource(REPOSITORY / "models" / name), config.cache_dir)
    assert choice.read_table(network)["openvino"].precisions["f32"].model_sha256 == network.made_of_sha256
    settled, options = choice.settle_precision(network, EngineOptions(engine="openvino", precision="auto"))
    assert (options.precision, settled.quantized) == (chosen, chosen == "int8")
