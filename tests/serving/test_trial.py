"""Models are tried in a process of their own: what crashes, hangs or takes all memory there is refused."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from detection.conf import BASE_DIR
from detection.conf.current import config
from detection.errors import ModelLoadError
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.errors import CheckpointError
from detection.inference.hardware import available_memory_bytes
from detection.inference.model_files import ModelSource
from detection.serving import service as serving
from detection.serving import trial
from detection.serving.model_thread import ModelThread
from detection.serving.trial import TrialError, TrialStoppedError, try_model
from tests.inference.model_folders import (
    constant_network,
    crashing_network,
    hanging_network,
    hungry_network,
    nanodet_outputs,
    write_model,
)

WAIT_S = 60


def options_of(folder: Path) -> DetectorOptions:
    options: DetectorOptions = serving.other_options(config(), ModelSource(folder))
    return options


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """The processes that were started."""
    found: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def popen(*args: Any, **kwargs: Any) -> "subprocess.Popen[bytes]":
        found.append(start(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return found


def test_model_that_crashes_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_model(tmp_path / "crash", crashing_network())
    with pytest.raises(TrialError, match=r"The model crash@1\.0 was tried in a process of its own, which crashed"):
        try_model(options_of(folder))
    assert "Segmentation fault" in caplog.text


def test_model_that_hangs_is_ended_and_refused(
    tmp_path: Path, limits: Any, started: list["subprocess.Popen[bytes]"]
) -> None:
    limits(model_load_timeout_s=2.0)
    begun = time.monotonic()
    with pytest.raises(TrialError, match=r"which did not finish within 2 seconds, and was ended\. If it only takes"):
        try_model(options_of(write_model(tmp_path / "hang", hanging_network())))
    assert time.monotonic() - begun < WAIT_S / 2
    assert started[0].returncode == -9


@pytest.mark.skipif(available_memory_bytes() is None, reason="this system does not report its memory")
def test_model_that_takes_all_memory_is_ended_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "available_memory_bytes", lambda: 500_000_000)
    folder = write_model(tmp_path / "hungry", hungry_network(1_500_000_000))
    with pytest.raises(TrialError, match=r"took more than 450 MB of memory, all that was free, and was ended"):
        try_model(options_of(folder))


def test_model_that_asks_for_more_memory_than_there_can_be_is_refused(tmp_path: Path) -> None:
    options = options_of(write_model(tmp_path / "vast", hungry_network(2**50)))
    with pytest.raises(TrialError, match="did not get the memory that it asked for"):
        try_model(replace(options, engine=replace(options.engine, engine="onnxruntime")))


def test_errors_of_a_trial_are_those_of_loading(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as here:
        load_detector(options_of(write_model(tmp_path / "net", b"no network")))
    with pytest.raises(CheckpointError) as there:
        try_model(options_of(tmp_path / "net"))
    assert (type(there.value), str(there.value), there.value.code, there.value.params) == (
        type(here.value),
        str(here.value),
        here.value.code,
        here.value.params,
    )


def test_model_that_passed_is_not_tried_again_until_it_is_another(
    tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    folder = write_model(tmp_path / "net", constant_network(nanodet_outputs(0)))
    for _ in range(2):
        try_model(options_of(folder))
    assert len(started) == 1
    folder = folder.rename(tmp_path / "moved")
    try_model(options_of(folder))
    assert len(started) == 1
    write_model(folder, crashing_network())
    with pytest.raises(TrialError):
        try_model(options_of(folder))


def test_trial_ends_when_the_server_stops(tmp_path: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    folder = write_model(tmp_path / "hang", hanging_network())
    with pytest.raises(TrialStoppedError):
        try_model(options_of(folder), is_stopped=lambda: True)
    assert started[0].returncode is not None


def test_process_of_a_trial_imports_no_django() -> None:
    """It starts before each change of the model."""
    code = "import sys, detection.serving.trial_process; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.django_db
def test_requested_model_that_crashes_is_refused_and_not_tried_for_a_while(
    tmp_path: Path, limits: Any, started: list["subprocess.Popen[bytes]"]
) -> None:
    """Otherwise each request of a caller would take the server down, or hold up all other models."""
    limits(data_dir=tmp_path, models=("crash",))
    write_model(tmp_path / "models" / "crash", crashing_network())
    for _ in range(3):
        with pytest.raises(ModelLoadError, match="crash cannot be loaded"):
            serving.ask("crash")
    assert len(started) == 1
    serving.drop_model("crash")
    with pytest.raises(ModelLoadError):
        serving.ask("crash")
    assert len(started) == 2


def test_what_hangs_on_the_thread_of_models_holds_nobody_up(limits: Any) -> None:
    limits(model_load_timeout_s=1.0)
    owner, ends = ModelThread(), threading.Event()
    late: list[str] = []
    waiting = threading.Thread(target=lambda: late.append(owner.run(lambda: "queued behind it")))

    def hang() -> str:
        waiting.start()
        ends.wait(WAIT_S)
        return "too late"

    with pytest.raises(TrialError, match=r"within 1 seconds in this process, and its thread was left behind"):
        owner.run(hang)
    waiting.join(WAIT_S)
    assert late == ["queued behind it"]
    assert owner.run(os.getpid) == os.getpid()
    ends.set()
    assert owner.run(lambda: "again") == "again"


def test_detector_that_comes_too_late_is_freed(limits: Any, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "net", constant_network(nanodet_outputs(0)))
    fresh = load_detector(options_of(folder))
    owner, ends, closed = ModelThread(), threading.Event(), threading.Event()
    limits(model_load_timeout_s=1.0)

    def load() -> Any:
        ends.wait(WAIT_S)
        return fresh

    with mock.patch.object(fresh, "close", side_effect=closed.set), pytest.raises(TrialError):
        owner.run(load)
    with mock.patch.object(fresh, "close", side_effect=closed.set):
        ends.set()
        assert closed.wait(WAIT_S)
    fresh.close()


def test_errors_on_the_thread_of_models_are_raised_to_who_waits() -> None:
    def fail() -> None:
        raise ValueError("bad")

    owner = ModelThread()
    with pytest.raises(ValueError, match="bad"):
        owner.run(fail)
    assert owner.run(lambda: 1) == 1


@pytest.mark.parametrize(
    ("limit", "used", "cached", "free"),
    [("max", 0, 0, 8_192_000), ("5000000", 2_000_000, 500_000, 3_500_000), ("1000", 2_000, 500, 0)],
    ids=["no limit", "limit of a container", "none left"],
)
def test_available_memory_is_cut_to_the_container(
    limit: str, used: int, cached: int, free: int, tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable:    8000 kB\n")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    assert available_memory_bytes(tmp_path, tmp_path / "meminfo") == free
    assert available_memory_bytes(tmp_path, tmp_path / "nothing") is None
