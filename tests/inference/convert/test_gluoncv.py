"""Exports of GluonCV: folders with a card, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine
from detection.inference.errors import CheckpointError
from detection.inference.families.gluoncv import GluonCvDecoding, check
from detection.inference.model_files import ModelSource, open_model
from tests.support import photos
from tests.support.gluoncv_exports import CLASSES, EDGE, Export, small_ssd, small_yolo3, write_export

EXPORTS: dict[str, tuple[Callable[..., Export], int]] = {
    "ssd": (small_ssd, (81 + 25) * 3),
    "yolo3": (small_yolo3, (81 + 25) * 2),
}
BATCH = np.random.default_rng(5).integers(0, 256, (3, EDGE, EDGE, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_becomes_a_network_with_its_own_suppression(kind: str, tmp_path: Path) -> None:
    build, places = EXPORTS[kind]
    network = open_model(ModelSource(write_export(tmp_path / kind, build())), tmp_path / "cache")
    engine = create_engine(network, EngineOptions("onnxruntime", threads=1))
    outputs = engine.infer(BATCH)
    engine.close()

    assert outputs["rows"].shape == (3, places * len(CLASSES), 6)
    assert not np.array_equal(outputs["rows"][0], outputs["rows"][1])
    check({"rows": outputs["rows"][0]}, network)
    assert isinstance(network.decoding, GluonCvDecoding)
    assert (network.decoding.nms.overlap_thresh, network.decoding.nms.topk, network.decoding.limit) == (0.45, 60, 20)
    assert (network.family, network.classes, network.size_wh) == ("gluoncv", CLASSES, (EDGE, EDGE))


@pytest.mark.parametrize("build", [small_ssd, small_yolo3], ids=["ssd", "yolo3"])
def test_normalisation_in_the_card_and_in_the_export_are_the_same(build: Callable[..., Export], tmp_path: Path) -> None:
    bare, whole = build(), build(preprocess=True)
    whole.net.arrays.update(bare.net.arrays)
    folders = [write_export(tmp_path / "bare", bare), write_export(tmp_path / "whole", whole, layout="nhwc")]
    rows = []
    for folder in folders:
        network = open_model(ModelSource(folder), tmp_path / "cache")
        engine = create_engine(network, EngineOptions("onnxruntime", threads=1))
        rows.append(engine.infer(BATCH)["rows"])
        engine.close()
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-3, atol=1e-3)


def test_decoding_of_older_exports_is_the_same(tmp_path: Path) -> None:
    rows = []
    for name, split in (("new", False), ("old", True)):
        network = open_model(ModelSource(write_export(tmp_path / name, small_ssd(split=split))), tmp_path / "cache")
        engine = create_engine(network, EngineOptions("onnxruntime", threads=1))
        rows.append(engine.infer(BATCH)["rows"])
        engine.close()
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("build", [small_ssd, small_yolo3], ids=["ssd", "yolo3"])
def test_a_detector_finds_objects_with_an_export(build: Callable[..., Export], engine: str, tmp_path: Path) -> None:
    options = DetectorOptions(
        ModelSource(write_export(tmp_path / "net", build())), tmp_path / "cache", EngineOptions(engine, threads=1)
    )
    detector = load_detector(options)
    found = detector.detect(photos.encode(photos.noise((64, 64)), "PNG")).objects
    detector.close()
    assert 1 <= len(found) <= 20
    assert {each.class_name for each in found} <= set(CLASSES)
    assert any(each.box.width > 5 and each.box.height > 5 for each in found)


def test_a_bare_export_is_told_to_get_a_card(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "net", small_ssd())
    (folder / "synset.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"is an export of GluonCV.*write a model card, model\.toml, with family"):
        open_model(ModelSource(folder / "net", edge=EDGE), tmp_path / "cache")


def changed(export: Export, name: str, **changes: Any) -> Export:
    """The export with another operator, other inputs or other attributes in one node."""
    node = next(node for node in export.net.nodes if node["name"] == name)
    node.update({key: value for key, value in changes.items() if key in ("op", "inputs")})
    node.setdefault("attrs", {}).update({key: value for key, value in changes.items() if key not in ("op", "inputs")})
    return export


def without_suppression() -> Export:
    export = small_ssd()
    return Export(export.net, (export.rows,), export.rows)


def after_suppression(**attributes: object) -> Export:
    export = small_ssd()
    nms = next(index for index, node in enumerate(export.net.nodes) if node["name"] == "nms")
    return Export(export.net, (*export.heads, export.net.add("exp", "tail", [nms], **attributes)), export.rows)


REFUSED: dict[str, tuple[Callable[[], Export], dict[str, Any], str]] = {
    "classes of the card": (small_ssd, {"classes": ["cat", "dog"]}, r"tells 3 classes apart and `classes` .* names 2"),
    "classes of YOLO": (small_yolo3, {"classes": ["cat"]}, r"tells 3 classes apart and `classes` .* names 1"),
    "no suppression": (without_suppression, {}, "has 0 box_nms operators"),
    "operator after the suppression": (after_suppression, {}, r"tail \(exp\) of .* stands after box_nms"),
    "attribute after the suppression": (
        lambda: changed(small_ssd(), "first", step="2"),
        {},
        r"first \(slice_axis\) of .* attribute step='2' is not known",
    ),
    "other columns": (lambda: small_ssd(nms={"id_index": -1}), {}, "reads its rows otherwise"),
    "no suppression by topk": (lambda: small_ssd(nms={"topk": 0}), {}, "suppresses nothing"),
    "boxes by their centres": (
        lambda: small_ssd(nms={"in_format": "center"}),
        {},
        "in_format='center' is not supported",
    ),
    "an output that is not there": (
        lambda: changed(small_ssd(split=True), "shift0", inputs=[[0, 9, 0]]),
        {},
        "uses another output of a node than the first",
    ),
    "a part that is not there": (lambda: other_part(9), {}, r"shift0 .* uses an output number 9, which is not there"),
    "another layout": (
        small_ssd,
        {"input": {"edge": EDGE, "layout": "nhwc"}},
        r"conv0 .*cannot be converted|do not fit",
    ),
    "another type": (small_ssd, {"input": {"edge": EDGE, "dtype": "float16"}}, "not `input.dtype` = float16"),
    "too large an input": (small_ssd, {"input": {"edge": 128}}, "is smaller than"),
    "no params": (small_ssd, {"files": {"net-symbol.json": "0" * 64}}, "SHA-256"),
}


def other_part(number: int) -> Export:
    export = small_ssd(split=True)
    parts = next(node for node in export.net.nodes if node["name"] == "shift0")["inputs"][0][0]
    return changed(export, "shift0", inputs=[[parts, number, 0]])


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_export_of_a_detector_is_told(case: str, tmp_path: Path) -> None:
    build, card, sentence = REFUSED[case]
    folder = write_export(tmp_path / "net", build(), card)
    with pytest.raises(CheckpointError, match=sentence):
        open_model(ModelSource(folder), tmp_path / "cache")


def test_all_unknown_operators_are_told_at_once(tmp_path: Path) -> None:
    export = changed(changed(small_ssd(), "relu0", op="Foo"), "mask", op="_lesser_equal_scalar")
    with pytest.raises(CheckpointError, match=r"2 node\(s\) .* relu0 \(Foo\).*mask \(_lesser_equal_scalar\)"):
        open_model(ModelSource(write_export(tmp_path / "net", export)), tmp_path / "cache")


def test_an_edge_that_is_not_the_cards_is_told(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "net", small_ssd())
    with pytest.raises(CheckpointError, match="MODEL_EDGE=64 does not fit net"):
        open_model(ModelSource(folder, edge=64), tmp_path / "cache")
