"""The engines: the same numbers from each, and a clear word where one cannot do what was asked."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection.inference.convert.cache import prepare_network
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines import registry
from detection.inference.engines.base import Engine, EngineOptions
from detection.inference.engines.registry import choose_engine, create_engine
from detection.inference.errors import EngineError
from detection.inference.model_files import ModelSource
from detection.inference.network import Network
from detection.inference.photos.preprocess import stretch
from detection.inference.types import ImageArray
from tests.inference.paths import EMBEDDED_PREFIX
from tests.support import photos
from tests.support.checkpoints import REPOSITORY, write_tiny_ssd


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return prepare_network(EMBEDDED_PREFIX, 0, 300, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def openvino(network: Network) -> Iterator[Engine]:
    engine = create_engine(network, EngineOptions(engine="openvino", threads=2))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def batch_rgb() -> ImageArray:
    """Two photos, (2, 300, 300, 3)."""
    return np.stack([stretch(photos.noise((300, 300), seed), (300, 300)) for seed in (1, 2)])


def test_openvino_and_onnxruntime_agree(network: Network, openvino: Engine, batch_rgb: ImageArray) -> None:
    other = create_engine(network, EngineOptions(engine="onnxruntime"))
    ours, theirs = openvino.infer(batch_rgb), other.infer(batch_rgb)
    other.close()
    assert ours["cls_prob"].shape == (2, 21, 1917)
    np.testing.assert_allclose(ours["cls_prob"], theirs["cls_prob"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours["loc_pred"], theirs["loc_pred"], rtol=1e-3, atol=1e-3)


def test_outputs_have_the_names_of_the_network_and_not_of_its_layers(tmp_path: Path) -> None:
    """OpenVINO folds the last layer of this one away, and then knows the output by two names."""
    network = prepare_network(write_tiny_ssd(tmp_path / "net"), 0, 32, tmp_path / "cache")
    engine = create_engine(network, EngineOptions(engine="openvino", threads=2))
    outputs = engine.infer(np.zeros((1, 32, 32, 3), np.uint8))
    engine.close()
    assert set(outputs) == {"cls_prob", "loc_pred"}


def test_alone_or_side_by_side_the_numbers_are_the_same(openvino: Engine, batch_rgb: ImageArray) -> None:
    alone = openvino.infer(batch_rgb[:1], photos_in_flight=1)
    crowd = openvino.infer(batch_rgb[:1], photos_in_flight=8)
    np.testing.assert_allclose(alone["cls_prob"], crowd["cls_prob"], rtol=0, atol=1e-5)


def test_a_photo_does_not_change_with_its_neighbours(openvino: Engine, batch_rgb: ImageArray) -> None:
    together, single = openvino.infer(batch_rgb), openvino.infer(batch_rgb[1:])
    np.testing.assert_allclose(together["cls_prob"][1], single["cls_prob"][0], rtol=0, atol=1e-5)


def test_many_threads_get_their_own_answers(openvino: Engine, batch_rgb: ImageArray) -> None:
    expected = [openvino.infer(batch_rgb[index : index + 1], photos_in_flight=8)["cls_prob"] for index in (0, 1)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda index: openvino.infer(batch_rgb[index : index + 1], photos_in_flight=8)["cls_prob"], [0, 1] * 16
            )
        )
    for index, answer in enumerate(answers):
        assert np.array_equal(answer, expected[index % 2])


def test_an_answer_stays_when_the_next_photo_runs(openvino: Engine, batch_rgb: ImageArray) -> None:
    first = openvino.infer(batch_rgb[:1])["cls_prob"]
    copy = first.copy()
    openvino.infer(batch_rgb[1:])
    assert np.array_equal(first, copy)


def test_the_compiled_network_is_cached(network: Network, tmp_path: Path) -> None:
    create_engine(network, EngineOptions(engine="openvino", threads=1, cache_dir=tmp_path)).close()
    assert list(tmp_path.iterdir())


def test_bf16_runs_or_says_that_the_cpu_has_none(network: Network, openvino: Engine, batch_rgb: ImageArray) -> None:
    try:
        engine = create_engine(network, EngineOptions(engine="openvino", precision="bf16", threads=1))
    except EngineError as error:
        assert "no bf16 arithmetic" in str(error)  # noqa: PT017 - either outcome is right, by the CPU
        return
    difference = np.abs(engine.infer(batch_rgb)["cls_prob"] - openvino.infer(batch_rgb)["cls_prob"]).max()
    assert engine.precision == "bf16"
    assert 0 < difference < 0.1
    engine.close()


AUTO = EngineOptions()
CHOICES = {
    "the default is openvino": (AUTO, {"openvino", "onnxruntime"}, "openvino"),
    "without openvino onnxruntime": (AUTO, {"onnxruntime"}, "onnxruntime"),
    "only mxnet": (AUTO, {"mxnet"}, "mxnet"),
    "what is asked for": (replace(AUTO, engine="mxnet"), {"openvino"}, "mxnet"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_auto_chooses(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options, installed, expected = CHOICES[case]
    monkeypatch.setattr(registry, "is_installed", lambda name: name in installed)
    name, reason = choose_engine(options)
    assert name == expected
    assert reason


def test_no_engine_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    with pytest.raises(EngineError, match=r"Install the packages of requirements\.txt"):
        choose_engine(AUTO)


REFUSED = {
    "openvino has no int8 of its own": (EngineOptions(engine="openvino", precision="int8"), "MODEL_PRECISION=int8"),
    "onnxruntime has no bf16": (EngineOptions(engine="onnxruntime", precision="bf16"), "not offered by ONNX Runtime"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_engine_cannot_do_is_refused_at_the_start(case: str, network: Network) -> None:
    options, sentence = REFUSED[case]
    with pytest.raises(EngineError, match=sentence):
        create_engine(network, options)


@pytest.mark.parametrize(
    ("engine", "package", "file"),
    [
        ("openvino", "openvino", "requirements.txt"),
        ("onnxruntime", "onnxruntime", "requirements.txt"),
        ("mxnet", "mxnet", "requirements-mxnet.txt"),
        ("remote", "tritonclient", "requirements-remote.txt"),
    ],
)
def test_an_engine_that_is_not_installed_is_named_with_the_file_that_has_it(
    engine: str, package: str, file: str, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    with pytest.raises(EngineError, match=f"needs the package {package}, which is not installed. Install {file}"):
        create_engine(network, EngineOptions(engine=engine))
    assert re.search(rf"^{package}\b", (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_damaged_graph_is_an_engine_error(engine: str, network: Network, tmp_path: Path) -> None:
    damaged = tmp_path / "network.onnx"
    damaged.write_bytes(b"no graph")
    with pytest.raises(EngineError, match="cannot"):
        create_engine(replace(network, onnx_path=damaged), EngineOptions(engine=engine))


def test_a_loaded_detector_finds_the_cat(tmp_path: Path, chelsea: bytes) -> None:
    options = DetectorOptions(source=ModelSource(EMBEDDED_PREFIX, 0, 300), cache_dir=tmp_path, engine=EngineOptions())
    detector = load_detector(options)
    best = detector.detect(chelsea).objects[0]
    detector.close()
    assert (best.class_name, best.probability > 0.99) == ("cat", True)


_FREED_THEN_SIGNALLED = """
import faulthandler, os, signal, sys
from pathlib import Path
from detection.inference.convert.cache import prepare_network
from detection.inference.engines.base import EngineOptions
from detection.inference.engines.registry import create_engine

faulthandler.enable()
network = prepare_network(Path(sys.argv[1]), 0, 300, Path(sys.argv[2]))
engines = [create_engine(network, EngineOptions(engine="openvino", threads=1)) for _ in range(2)]
while engines:
    engines.pop(0).close()
signal.signal(signal.SIGTERM, lambda number, frame: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_networks_were_freed_is_handled(tmp_path: Path) -> None:
    """In a process of its own: this one would die with it."""
    command = [sys.executable, "-c", _FREED_THEN_SIGNALLED, str(EMBEDDED_PREFIX), str(tmp_path)]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)
    assert (finished.returncode, finished.stdout) == (0, "handled\n"), finished.stderr


def test_openvino_tells_nobody_that_it_runs(tmp_path: Path) -> None:
    """As it comes it does, from a thread of its own, unless a variable says that this is continuous integration."""
    program = (
        "import socket, sys, threading\n"
        "asked = []\n"
        "socket.getaddrinfo = lambda host, *_, **__: asked.append(host) or []\n"
        "from detection.inference.engines.openvino_package import shared_core\n"
        "shared_core()\n"
        "for thread in threading.enumerate():\n"
        "    thread is threading.current_thread() or thread.join(5)\n"
        "sys.exit(f'asked for {asked}' if asked else 0)\n"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    finished = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert list(tmp_path.iterdir()) == []
