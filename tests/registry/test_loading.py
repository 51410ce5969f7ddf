"""Versions that crash, hang, or end each process that loads them: none takes a server, or its next start, along."""

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from detection.accounts.access import ANYBODY
from detection.conf import BASE_DIR
from detection.models import ModelVersion
from detection.predict import service as predict_service
from detection.registry import reconciler, samples, versions
from detection.registry.loading import TRIES, marked
from detection.serving import service as serving
from detection.serving.trial import TrialError
from tests.inference.model_folders import (
    constant_network,
    crashing_network,
    hanging_network,
    nanodet_outputs,
    write_model,
)
from tests.support.serving import running_server, server_environment

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


@pytest.fixture
def own_models(limits: Any, tmp_path: Path) -> Iterator[None]:
    """A data folder of this test, and the model of MODEL_PREFIX that answers."""
    predict_service.stop()
    limits(data_dir=tmp_path / "data", model_load_timeout_s=60.0)
    serving.start()
    yield
    predict_service.stop()


def net(folder: Path, version: str, network: bytes | None = None) -> Path:
    name = {"name": "net", "version": version}
    return write_model(folder / f"net-{version}", network or constant_network(nanodet_outputs(0)), name)


def added_unseen(folder: Path) -> ModelVersion:
    """Add a version that nobody tried here: another server has other engines, where it passed."""
    with mock.patch.object(versions, "try_model"):
        return versions.add(folder)


def active_unseen(row: ModelVersion) -> None:
    with mock.patch.object(versions, "try_model"):
        versions.activate(row)


def said(*arguments: object) -> str:
    out = io.StringIO()
    call_command("model", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("own_models")
@pytest.mark.django_db(transaction=True)
def test_a_version_that_crashes_is_neither_added_nor_activated(tmp_path: Path, client: Client) -> None:
    said("add", net(tmp_path, "1"))
    said("activate", "net@1")
    with pytest.raises(CommandError, match=r"which crashed \(SIGSEGV\)\. Export it anew"):
        said("add", net(tmp_path, "2", crashing_network()))
    assert not (tmp_path / "data" / "models" / "net@2").exists()
    row = added_unseen(tmp_path / "net-2")
    with pytest.raises(CommandError, match=r"The model net@2 was tried in a process of its own, which crashed"):
        said("activate", "net@2")
    with pytest.raises(TrialError):
        samples.look(row, ANYBODY)
    client.force_login(User.objects.create_superuser("admin"))
    body = {"action": "activate", "_selected_action": [row.pk]}
    page = client.post("/admin/detection/modelversion/", body, follow=True).content.decode()
    assert "The version net@2 cannot answer. The model net@2 was tried" in page
    assert ModelVersion.objects.get(is_active=True).version == "1"


@pytest.mark.usefixtures("own_models")
@pytest.mark.django_db(transaction=True)
def test_a_running_server_goes_on_when_the_active_version_crashes_or_hangs(
    tmp_path: Path, limits: Any, client: Client
) -> None:
    """Another server activated it, where it passed."""
    first, crash, hang, last = (
        added_unseen(net(tmp_path, version, network))
        for version, network in (("1", None), ("2", crashing_network()), ("3", hanging_network()), ("4", None))
    )
    follower = reconciler.Reconciler()
    follower.poll()
    versions.activate(first)
    follower.poll()
    active_unseen(crash)
    follower.poll()
    assert (serving.answering_version(), client.get("/readyz").status_code) == (first.pk, 200)
    assert "net@2 could not be loaded: net@1 answers in its place" in client.get("/readyz").json()["problem"]
    assert "crashed (SIGSEGV)" in ModelVersion.objects.get(pk=crash.pk).problem
    active_unseen(hang)
    limits(data_dir=tmp_path / "data", model_load_timeout_s=3.0)
    follower.poll()
    assert serving.answering_version() == first.pk
    assert "net@3 could not be loaded: net@1 answers" in client.get("/api/models").json()["models"][0]["problem"]
    assert "did not finish within 3 seconds" in said("list")
    limits(data_dir=tmp_path / "data", model_load_timeout_s=60.0)
    versions.activate(last)
    follower.poll()
    assert (serving.answering_version(), serving.active_problem()) == (last.pk, "")


@pytest.mark.usefixtures("own_models")
@pytest.mark.django_db(transaction=True)
def test_a_version_that_hangs_in_the_server_alone_does_not_block_the_next_change(tmp_path: Path, limits: Any) -> None:
    hang, last = added_unseen(net(tmp_path, "1")), added_unseen(net(tmp_path, "2"))
    follower, ends = reconciler.Reconciler(), threading.Event()
    follower.poll()
    active_unseen(hang)
    limits(data_dir=tmp_path / "data", model_load_timeout_s=1.0)
    try:
        with (
            mock.patch.object(versions, "try_model"),
            mock.patch.object(versions, "load_detector", side_effect=lambda _: ends.wait(60)),
        ):
            follower.poll()
        assert serving.answering_version() is None
        assert "its thread was left behind" in ModelVersion.objects.get(pk=hang.pk).problem
        limits(data_dir=tmp_path / "data", model_load_timeout_s=60.0)
        versions.activate(last)
        follower.poll()
        assert serving.answering_version() == last.pk
    finally:
        ends.set()


@pytest.mark.usefixtures("own_models")
@pytest.mark.django_db(transaction=True)
def test_a_start_goes_on_with_the_version_that_was_active_before(tmp_path: Path) -> None:
    """The third was active before the fourth, and cannot be loaded either."""
    rows = [
        added_unseen(net(tmp_path, version, network))
        for version, network in (("1", None), ("2", None), ("3", crashing_network()), ("4", crashing_network()))
    ]
    for row in rows:
        active_unseen(row)
    reconciler.Reconciler().poll()
    assert serving.answering_version() == rows[1].pk
    assert "net@4 could not be loaded: net@2 answers in its place" in serving.active_problem()
    active_unseen(rows[3])
    assert ModelVersion.objects.get(pk=rows[3].pk).replaced == rows[2], "activated again: the one before stays"
    versions.remove(rows[2])
    predict_service.stop()
    serving.start()
    reconciler.Reconciler().poll()
    assert serving.answering_version() is None
    assert "mobilenet_ssd_voc answers in its place" in serving.active_problem()


def test_a_server_starts_though_the_active_version_hangs(tmp_path: Path, chelsea: bytes) -> None:
    """The deadline is the server's; it goes on with the version before."""
    settings = {"DATA_DIR": str(tmp_path / "data"), "MODEL_LOAD_TIMEOUT": "20"}
    net(tmp_path, "1")
    net(tmp_path, "2", hanging_network())
    environment = {**server_environment(settings), "DJANGO_SETTINGS_MODULE": "detector_site.settings"}
    command = [sys.executable, "-c", ACTIVE_HANGS, str(tmp_path / "net-1"), str(tmp_path / "net-2")]
    subprocess.run(command, cwd=BASE_DIR, env=environment, check=True, capture_output=True)
    with running_server(settings) as server:
        ready = httpx.get(f"{server.url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert "net@2 could not be loaded: net@1 answers in its place" in ready.json()["problem"]
        photo = httpx.post(f"{server.url}/api/predict", content=chelsea, headers={"Content-Type": "image/jpeg"})
        assert (photo.status_code, photo.headers["X-Model"]) == (200, "net@1")
    assert "did not finish within 20 seconds, and was ended" in server.output


ACTIVE_HANGS = """
import sys, django
django.setup()
from pathlib import Path
from unittest import mock
from django.core.management import call_command
from detection.registry import versions
call_command("migrate", verbosity=0)
with mock.patch.object(versions, "try_model"):
    for folder in sys.argv[1:]:
        versions.activate(versions.add(Path(folder)))
"""
