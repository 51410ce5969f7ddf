"""Model cards, and the folders that they describe."""

import hashlib
import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from detection.inference.cards.card import InputSpec, read_card
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.errors import CheckpointError
from detection.inference.families.registry import FAMILIES
from detection.inference.model_files import ModelSource, classes_of, open_model
from detection.inference.onnx.input import wrap
from tests.inference.model_folders import (
    EDGE,
    card_of,
    constant_network,
    echo_network,
    nanodet_outputs,
    write_card,
    write_model,
)
from tests.inference.paths import EMBEDDED_PREFIX, REPOSITORY
from tests.support import photos

NETWORK = constant_network(nanodet_outputs(1))
NANODET = REPOSITORY / "models" / "nanodet_plus_m"


@pytest.mark.parametrize("folder", sorted((REPOSITORY / "models").iterdir()), ids=lambda folder: folder.name)
def test_the_shipped_models_are_those_of_their_cards(folder: Path) -> None:
    card = read_card(folder)
    card.verify_files()
    assert card.name == folder.name
    assert len(card.classes) in {20, 80}
    assert 0 < card.accuracy["coco_ap"] < card.accuracy["coco_ap50"] < 1


def test_a_card_in_full() -> None:
    card = read_card(NANODET)
    assert (card.title, card.licence, card.version) == (
        "NanoDet-Plus-m, 416 pixels, 80 COCO classes",
        "Apache-2.0",
        "1.0",
    )
    assert card.input == InputSpec(
        size_wh=(416, 416), colour="bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)
    )
    assert (card.decoding.bins, card.decoding.strides, card.threshold) == (8, (8, 16, 32, 64), 0.5)
    assert classes_of(ModelSource(NANODET))[:2] == ("person", "bicycle")


CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": None}, "`name` is missing"),
    "name for no address": ({"name": "a/b"}, "`name` has to be of letters"),
    "empty licence": ({"licence": " "}, "`licence` has to be a text"),
    "unknown family": ({"family": "yolo99"}, "`family` has to be one of mxnet_ssd, nanodet_plus"),
    "misspelt key": ({"treshold": 0.5}, "`treshold` is not known"),
    "threshold as text": ({"threshold": "0.5"}, "`threshold` has to be a number from 0 to 1"),
    "no files": ({"files": None}, "`files` is missing"),
    "files as text": ({"files": "net.onnx"}, "`files` has to be a table"),
    "file elsewhere": ({"files": {"../net.onnx": "0" * 64}}, "`files.../net.onnx` has to be the name of a file"),
    "hash of other length": ({"files": {"net.onnx": "00"}}, "`files.net.onnx` has to be the file's SHA-256"),
    "no size": ({"input": {}}, "`input.width` is missing"),
    "size as text": ({"input": {"edge": "32"}}, "`input.edge` has to be a whole number"),
    "size too large": ({"input": {"edge": 5000}}, "`input.edge` has to be a whole number"),
    "unknown fit": ({"input": {"edge": 32, "fit": "crop"}}, "`input.fit` has to be one of stretch, letterbox"),
    "unknown resizing": ({"input": {"edge": 32, "resize": "nearest"}}, "`input.resize` has to be one of area, linear"),
    "antialias as text": ({"input": {"edge": 32, "antialias": "no"}}, "`input.antialias` has to be true or false"),
    "cubic that skips": (
        {"input": {"edge": 32, "resize": "cubic", "antialias": False}},
        '`input.antialias` may be false beside resize = "linear" only',
    ),
    "unknown tiles": ({"tiles": 4}, "`tiles` has to be one of 1, 2, 3, auto"),
    "two means": ({"input": {"edge": 32, "mean": [1, 2]}}, "`input.mean` has to be a list of three numbers"),
    "std of zero": ({"input": {"edge": 32, "std": [1, 0, 1]}}, "`input.std` has to be three numbers other than 0"),
    "key in input": ({"input": {"edge": 32, "color": "bgr"}}, "`input.color` is not known"),
    "classes twice": ({"classes": ["a", "a"]}, "`classes` names something twice"),
    "class of two lines": ({"classes": ["a\\nb", "b"]}, r"`classes` cannot be used: class 1 is .* with U\+000A"),
    "class without a name": ({"classes": ["a", ""]}, "`classes` has to be a list of names"),
    "classes in no file": (
        {"classes": "classes.txt"},
        "`classes` is the file classes.txt",
    ),
    "key in decoding": (
        {"decoding": {"stride": [8]}},
        "`decoding.stride` is not known to nanodet_plus",
    ),
    "number in decoding": ({"decoding": {"bins": 1}}, "`decoding` cannot be used: bins"),
    "one stride": ({"decoding": {"strides": 8}}, "`decoding` cannot be used: strides has to be a list"),
    "endless stride": ({"decoding": {"strides": [10**30]}}, "`decoding` cannot be used: strides has to be a list"),
    "endless mean": (
        {"input": {"edge": 32, "mean": [10**400, 0, 0]}},
        "`input.mean` has to be a list of three numbers",
    ),
    "edge and width": ({"input": {"edge": 32, "width": 32}}, "`input.edge` stands beside width or height"),
    "name of dots": ({"name": ".."}, "`name` has to be of letters.* not of dots alone"),
    "file of no name": ({"files": {"a\\u0000.onnx": "0" * 64}}, "has to be the name of a file"),
    "accuracy beyond all": (
        {"accuracy": {"coco_ap": 35.1}},
        "`accuracy.coco_ap` has to be a text or a number from 0 to 1",
    ),
    "decoding of a checkpoint": ({"family": "mxnet_ssd"}, "`decoding` has to be left out"),
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_that_cannot_be_used_is_told_with_file_and_key(case: str, tmp_path: Path) -> None:
    keys, sentence = CARDS[case]
    with pytest.raises(CheckpointError, match=sentence) as refused:
        read_card(write_model(tmp_path / "net", NETWORK, keys))
    assert str(tmp_path / "net" / "model.toml") in str(refused.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "no TOML"),
        (b"name = '\xff'", "no TOML file: it is not UTF-8"),
        ("name = ''".encode("utf-16"), "no TOML file: it is UTF-16 text"),
        (b"name = " + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["cut off", "Latin-1", "UTF-16", "deep"],
)
def test_a_card_that_is_no_toml_is_told(content: bytes, sentence: str, tmp_path: Path) -> None:
    (write_model(tmp_path / "net", NETWORK) / "model.toml").write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        read_card(tmp_path / "net")


@pytest.mark.parametrize("name", ["net.onnx", "model.toml", "classes.txt"])
@pytest.mark.parametrize("endless", ["link to a device", "pipe"])
def test_files_without_an_end_are_not_read(name: str, endless: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "net", NETWORK, {"classes": "classes.txt"})
    (folder / "classes.txt").write_text("a\nb\n", encoding="utf-8")
    files = {each: hashlib.sha256((folder / each).read_bytes()).hexdigest() for each in ("net.onnx", "classes.txt")}
    write_card(folder, card_of(folder, files) | {"classes": "classes.txt"})
    (folder / name).unlink()
    if endless == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=r"cannot be read .*no regular file"):
        read_card(folder).verify_files()


def test_a_card_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "net", NETWORK)
    with (folder / "model.toml").open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(CheckpointError, match="it has more than 1,048,576 bytes"):
        read_card(folder)


def test_a_card_may_be_saved_by_any_editor(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "net", NETWORK)
    plain = read_card(folder)
    text = (folder / "model.toml").read_bytes()
    for form in (b"\xef\xbb\xbf" + text, text.replace(b"\n", b"\r\n"), text.replace(b"\n", b"\r")):
        (folder / "model.toml").write_bytes(form)
        assert read_card(folder) == plain


def test_the_card_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"\n\n((?:    .*\n|\n)*    \[accuracy\](?:.*\n)(?:    .*\n)*)", text)
    (tmp_path / "model.toml").write_text(textwrap.dedent(block), encoding="utf-8")
    card = read_card(tmp_path)
    assert (card.name, card.decoding.head, card.threshold, card.input.pad) == ("helmets", "v8", 0.4, 114)
    assert all(f"`{family}`" in text for family in FAMILIES)


def test_a_folder_without_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.toml cannot be read"):
        read_card(tmp_path)


FOLDERS: dict[str, tuple[dict[str, Any], str]] = {
    "another file": ({"files": {"net.onnx": "0" * 64}}, "has the SHA-256 .* damaged or another file"),
    "no onnx file": ({"files": {"model.toml": "0" * 64}}, "SHA-256"),
    "missing file": ({"files": {"other.onnx": "0" * 64}}, "other.onnx cannot be read"),
    "another size": ({"input": {"edge": 64}}, "not the \\(3, 64, 64\\) of `input`"),
    "another type": ({"input": {"edge": EDGE, "dtype": "float16"}}, "is of type FLOAT, not `input.dtype` = float16"),
    "another layout": ({"input": {"edge": EDGE, "layout": "nhwc"}}, "not the \\(32, 32, 3\\)"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_files_that_do_not_fit_the_card_are_told(case: str, tmp_path: Path) -> None:
    keys, sentence = FOLDERS[case]
    with pytest.raises(CheckpointError, match=sentence):
        open_model(ModelSource(write_model(tmp_path / "net", NETWORK, keys)), tmp_path / "cache")


def test_a_file_that_is_no_onnx_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "net", b"no network")
    with pytest.raises(CheckpointError, match="is no ONNX model"):
        open_model(ModelSource(folder), tmp_path / "cache")


def external(folder: Path) -> tuple[Path, str, str]:
    """A model whose weights are in weights.bin, and the hashes of both files."""
    write_model(folder, NETWORK)
    path = folder / "net.onnx"
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    sha256 = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("net.onnx", "weights.bin")]
    return folder, sha256[0], sha256[1]


def test_weights_beside_the_network_have_to_be_listed(tmp_path: Path) -> None:
    folder, network, weights = external(tmp_path / "net")
    write_card(folder, card_of(folder, {"net.onnx": network}))
    with pytest.raises(CheckpointError, match=r"has weights in weights\.bin, which \[files\] does not list"):
        open_model(ModelSource(folder), tmp_path / "cache")
    write_card(folder, card_of(folder, {"net.onnx": network, "weights.bin": weights}))
    opened = open_model(ModelSource(folder), tmp_path / "cache")
    assert not any(each.external_data for each in onnx.load(opened.onnx_path).graph.initializer)
    (folder / "weights.bin").write_bytes(b"\0" + (folder / "weights.bin").read_bytes()[1:] + b"\0")
    with pytest.raises(CheckpointError, match=r"weights\.bin has the SHA-256"):
        open_model(ModelSource(folder), tmp_path / "cache")


def test_weights_from_outside_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder, *_ = external(tmp_path / "net")
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../../etc/passwd"
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    write_card(folder, card_of(folder, {"net.onnx": hashlib.sha256(model.SerializeToString()).hexdigest()}))
    with pytest.raises(CheckpointError, match=r"has weights in \.\./\.\./etc/passwd"):
        open_model(ModelSource(folder), tmp_path / "cache")


def test_an_edge_that_the_export_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="MODEL_EDGE=64 does not fit net"):
        open_model(ModelSource(write_model(tmp_path / "net", NETWORK), edge=64), tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="set DATA_DIR"):
        open_model(ModelSource(write_model(tmp_path / "net", NETWORK)), tmp_path / "file")


def test_the_embedded_checkpoint_is_the_same_with_its_card_and_without(tmp_path: Path) -> None:
    bare = open_model(ModelSource(EMBEDDED_PREFIX), tmp_path)
    carded = open_model(ModelSource(EMBEDDED_PREFIX.parent), tmp_path)
    assert (bare.onnx_path, bare.sha256, bare.classes) == (carded.onnx_path, carded.made_of_sha256, carded.classes)
    assert (bare.version, carded.version) == ("", "1.0")
    assert carded.size_wh == (300, 300)


def test_a_damaged_graph_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    source = ModelSource(write_model(tmp_path / "net", NETWORK))
    network = open_model(source, tmp_path / "cache")
    whole = network.onnx_path.read_bytes()
    network.onnx_path.write_bytes(whole[:100])
    open_model(source, tmp_path / "cache")
    assert network.onnx_path.read_bytes() == whole


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_network_with_a_card_finds_its_object(engine: str, tmp_path: Path) -> None:
    options = DetectorOptions(
        ModelSource(write_model(tmp_path / "net", NETWORK)), tmp_path / "cache", EngineOptions(engine, threads=1)
    )
    detector = load_detector(options)
    (found,) = detector.detect(photos.encode(photos.noise((64, 64)), "PNG")).objects
    detector.close()
    assert (found.class_name, round(found.probability, 4)) == ("light", 0.9526)
    assert found.box_xyxy_unit == (0.0, 0.0, 0.625, 0.625)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        pytest.param(constant_network(nanodet_outputs(1, classes=3)), r"output \(16, 19\)", id="class count"),
        pytest.param(constant_network(dict.fromkeys("ab", np.zeros(3, np.float32))), "has one", id="two"),
    ],
)
def test_a_network_with_other_outputs_is_refused_before_it_serves(
    network: bytes, sentence: str, tmp_path: Path
) -> None:
    options = DetectorOptions(
        ModelSource(write_model(tmp_path / "net", network)), tmp_path / "cache", EngineOptions("onnxruntime", threads=1)
    )
    with pytest.raises(CheckpointError, match=sentence):
        load_detector(options)


BATCH = np.random.default_rng(7).integers(0, 256, (1, 4, 6, 3)).astype(np.uint8)
MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)
INPUTS: dict[str, tuple[InputSpec, int]] = {
    "bytes": (InputSpec(size_wh=(6, 4), dtype="uint8", layout="nhwc"), TensorProto.UINT8),
    "bgr, normalised": (InputSpec(size_wh=(6, 4), colour="bgr", mean=MEAN, std=STD), TensorProto.FLOAT),
    "halves": (InputSpec(size_wh=(6, 4), std=STD, dtype="float16", layout="nhwc"), TensorProto.FLOAT16),
}


@pytest.mark.parametrize("case", INPUTS)
def test_the_network_gets_the_photo_as_its_card_says(case: str) -> None:
    spec, dtype = INPUTS[case]
    expected: NDArray[Any] = BATCH[..., ::-1] if spec.colour == "bgr" else BATCH
    if spec.dtype != "uint8":
        expected = (expected - np.array(spec.mean)) / np.array(spec.std)
    expected = expected.transpose(0, 3, 1, 2) if spec.layout == "nchw" else expected
    (seen,) = ReferenceEvaluator(wrap(echo_network(expected.shape, dtype), spec)).run(None, {"image_rgb": BATCH})
    np.testing.assert_allclose(np.asarray(seen, np.float64), expected, rtol=1e-3)


def test_an_export_that_asks_for_sizes_is_told_its_own() -> None:
    model = wrap(echo_network((1, 3, 4, 6), extra="orig_target_sizes"), InputSpec(size_wh=(6, 4)))
    _, facts = ReferenceEvaluator(model).run(None, {"image_rgb": BATCH})
    assert np.asarray(facts).tolist() == [[6, 4]]


@pytest.mark.parametrize(
    ("shape", "extra", "sentence"),
    [((1, 3, 24), "", "0 inputs of four axes"), ((1, 3, 4, 6), "prompt", "an input prompt that nobody can fill")],
)
def test_inputs_that_cannot_be_filled_are_told(shape: tuple[int, ...], extra: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        wrap(echo_network(shape, extra=extra), InputSpec(size_wh=(6, 4)))


@pytest.mark.parametrize("tiles", [2, "2"])
def test_a_card_says_how_photos_are_resized_and_in_how_many_tiles(tiles: int | str, tmp_path: Path) -> None:
    keys = {"tiles": tiles, "input": {"edge": EDGE, "resize": "linear", "antialias": False}}
    folder = write_model(tmp_path / "net", NETWORK, keys)
    network = open_model(ModelSource(folder), tmp_path / "cache")
    assert (network.tiles, network.resize, network.antialias) == ("2", "linear", False)
    plain = open_model(ModelSource(write_model(tmp_path / "plain", NETWORK)), tmp_path / "cache")
    assert (plain.tiles, plain.resize, plain.antialias) == ("1", "linear", True)
    assert plain.sha256 != network.sha256


def test_a_checkpoint_may_say_how_photos_are_resized(tmp_path: Path) -> None:
    folder = shutil.copytree(REPOSITORY / "models" / "mobilenet_ssd_voc", tmp_path / "mobilenet_ssd_voc")
    card = folder / "model.toml"
    card.write_text(
        card.read_text(encoding="utf-8").replace("[input]\n", '[input]\nresize = "area"\n'), encoding="utf-8"
    )
    assert open_model(ModelSource(folder), tmp_path / "cache").resize == "area"


def test_what_changes_answers_changes_the_hash_and_nothing_else_does(tmp_path: Path) -> None:
    first = read_card(write_model(tmp_path / "net", NETWORK)).sha256
    retold = read_card(write_model(tmp_path / "net", NETWORK, {"title": "Another", "threshold": 0.3})).sha256
    changed = read_card(write_model(tmp_path / "net", NETWORK, {"decoding": {"strides": [8], "bins": 5}})).sha256
    assert first == retold != changed
    assert len(first) == len(hashlib.sha256().hexdigest())
