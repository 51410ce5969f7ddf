"""A version that ends each process that loads it is left out after the second one."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detection.conf import BASE_DIR
from detection.models import ModelVersion
from detection.predict import service as predict_service
from detection.registry import reconciler, versions
from detection.registry.loading import TRIES, marked
from detection.serving import service as serving
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model

CRASH = """
import os, pathlib, signal, sys
from detection.registry.loading import TRIES, marked
with marked(pathlib.Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def crash_in(marker: Path) -> int:
    return subprocess.run([sys.executable, "-c", CRASH, str(marker)], cwd=BASE_DIR, check=False).returncode


@pytest.mark.django_db(transaction=True)
def test_a_start_goes_on_without_the_version_that_ended_the_last_one(limits: Any, tmp_path: Path) -> None:
    predict_service.stop()
    limits(data_dir=tmp_path / "data")
    write_model(tmp_path / "net", constant_network(nanodet_outputs(0)), {"name": "net", "version": "1"})
    row = versions.add(tmp_path / "net")
    versions.activate(row)
    row.refresh_from_db()
    assert [crash_in(reconciler._marker(row)) for _ in range(TRIES)] == [-signal.SIGSEGV] * TRIES

    predict_service.stop()
    follower = reconciler.Reconciler()
    follower.poll()
    assert serving.answering_version() is None
    assert "net@1" in serving.active_problem()
    assert "ended twice while it loaded" in ModelVersion.objects.get(pk=row.pk).problem

    versions.activate(row)
    follower.poll()
    assert serving.answering_version() == row.pk
    assert serving.active_problem() == ""
    predict_service.stop()


def test_one_end_may_be_chance(tmp_path: Path) -> None:
    assert crash_in(tmp_path / "marker") == -signal.SIGSEGV
    with marked(tmp_path / "marker"):
        assert (tmp_path / "marker").read_bytes() == b".."
    assert not (tmp_path / "marker").exists()


def test_a_marker_ends_with_its_block_even_on_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with marked(tmp_path / "marker"):
            assert (tmp_path / "marker").read_bytes() == b"."
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert not (tmp_path / "marker").exists()


def test_a_version_that_another_process_is_loading_is_loaded_here_too(tmp_path: Path) -> None:
    with marked(tmp_path / "marker"), marked(tmp_path / "marker"):
        assert (tmp_path / "marker").exists()
    assert not (tmp_path / "marker").exists()
