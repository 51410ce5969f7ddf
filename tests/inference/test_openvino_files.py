"""OpenVINO's own form and TFLite: the same numbers as of the ONNX file, and what is refused."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from detection.inference.engines.base import EngineOptions
from detection.inference.engines.openvino_package import ov
from detection.inference.engines.registry import create_engine
from detection.inference.errors import CheckpointError, EngineError
from detection.inference.model_files import ModelSource, open_model
from detection.inference.model_repository import RepositoryError, write_repository
from detection.inference.network import Network
from detection.inference.precision.quantization import quantize
from detection.inference.types import ImageArray
from tests.inference.exports import EDGE, small_export
from tests.support import photos

TFLITE = Path(__file__).parent / "samples" / "small.tflite"
NORMALISED = 'colour = "bgr"\nmean = [10, 20, 30]\nstd = [50, 100, 200]\n'


def write_onnx(folder: Path) -> str:
    onnx.save(small_export(), folder / "net.onnx")
    return ""


def write_ir(folder: Path) -> str:
    onnx.save(small_export(), folder.parent / "net.onnx")
    ov.save_model(ov.Core().read_model(folder.parent / "net.onnx"), folder / "net.xml", compress_to_fp16=False)
    return ""


def write_tflite(folder: Path) -> str:
    shutil.copyfile(TFLITE, folder / "net.tflite")
    return 'layout = "nhwc"\n'


def opened(tmp_path: Path, write: Callable[[Path], str], *, left_out: str = "none") -> Network:
    folder = tmp_path / write.__name__
    folder.mkdir()
    layout = write(folder)
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix != left_out
    }
    listed = "".join(f'"{name}" = "{sha256}"\n' for name, sha256 in hashes.items())
    (folder / "model.toml").write_text(
        'name = "net"\ntitle = "net"\nversion = "1"\nfamily = "yolox"\nlicence = "MIT"\nsource = "a test"\n'
        f'classes = ["cat", "dog"]\n[files]\n{listed}[input]\nedge = {EDGE}\n{NORMALISED}{layout}'
    )
    return open_model(ModelSource(folder), tmp_path / "cache")


def batch() -> ImageArray:
    return np.stack([np.asarray(photos.noise((EDGE, EDGE), seed)) for seed in (1, 2, 3)])


@pytest.mark.parametrize("write", [write_ir, write_tflite])
def test_the_numbers_are_those_of_the_onnx_file(write: Callable[[Path], str], tmp_path: Path) -> None:
    expected = create_engine(opened(tmp_path, write_onnx), EngineOptions(engine="onnxruntime")).infer(batch())["sums"]
    network = opened(tmp_path, write)
    found = create_engine(network, EngineOptions(engine="auto", threads=1)).infer(batch())["sums"]
    if write is write_tflite:
        found = found.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_other_engines_and_tools_say_that_they_do_not_read_it(tmp_path: Path) -> None:
    network = opened(tmp_path, write_ir)
    with pytest.raises(EngineError, match="OpenVINO alone runs, and the engine here is onnxruntime"):
        create_engine(network, EngineOptions(engine="onnxruntime"))
    with pytest.raises(CheckpointError, match="is not an ONNX file, and int8 models are made of those"):
        quantize(network, [], max_pixels=10_000, source="")
    with pytest.raises(RepositoryError, match="only those are exported"):
        write_repository(network, tmp_path / "repository", "triton")


def test_weights_that_no_hash_vouches_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"\[files\] has to list net.bin, the weights of net.xml"):
        opened(tmp_path, write_ir, left_out=".bin")


def test_a_card_with_two_networks_is_refused(tmp_path: Path) -> None:
    def write_both(folder: Path) -> str:
        write_onnx(folder)
        return write_tflite(folder)

    with pytest.raises(CheckpointError, match=r"lists net.onnx, net.tflite; a card is for one network"):
        opened(tmp_path, write_both)


def test_a_damaged_file_and_another_input_are_refused(tmp_path: Path) -> None:
    def write_damaged(folder: Path) -> str:
        (folder / "net.tflite").write_bytes(TFLITE.read_bytes()[:300])
        return 'layout = "nhwc"\n'

    def write_turned(folder: Path) -> str:
        shutil.copyfile(TFLITE, folder / "net.tflite")
        return ""

    with pytest.raises(CheckpointError, match="does not fit its model card, or is damaged"):
        opened(tmp_path, write_damaged)
    with pytest.raises(CheckpointError, match=r"its input is \[1,16,16,3\], not the \[3, 16, 16\] of `input` \(nchw\)"):
        opened(tmp_path, write_turned)


def test_a_damaged_cache_is_repaired(tmp_path: Path) -> None:
    network = opened(tmp_path, write_tflite)
    network.onnx_path.with_suffix(".bin").write_bytes(b"")
    again = open_model(ModelSource(tmp_path / "write_tflite"), tmp_path / "cache")
    assert again.onnx_path == network.onnx_path
    assert create_engine(replace(again), EngineOptions(engine="openvino")).infer(batch())["sums"].shape == (
        3,
        16,
        16,
        2,
    )
