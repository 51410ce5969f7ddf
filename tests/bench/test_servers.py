"""Servers that are measured: started, ready, measured, stopped."""

import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from bench import environments, photos
from bench.environments import EnvironmentMissingError
from bench.servers import ServerError, free_port, our_server, running, status_of


def test_the_instant_server_answers_everything_at_once(tmp_path: Path) -> None:
    data = photos.jpeg("coffee", (64, 48))
    with our_server(tmp_path, {}, name="instant", program="bench.instant_server") as server:
        answer = httpx.post(server.url, content=data, headers={"Content-Type": "image/jpeg"}, timeout=60)
        cpu_seconds, resident_bytes, pid = server.cpu_seconds(), server.resident_bytes(), server.process.pid

    assert answer.status_code == 200, answer.text
    assert [one["objectClass"] for one in answer.json()["prediction"]] == ["cat", "dog", "person"]
    assert server.ready_s > 0
    assert cpu_seconds > 0
    assert resident_bytes > 10_000_000
    assert not psutil.pid_exists(pid)


def test_a_server_that_ends_is_told_with_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no network here')"]
    with (
        pytest.raises(ServerError, match=r"broken did not start\. It said:\nno network here"),
        running("broken", command, port=free_port(), folder=tmp_path),
    ):
        pytest.fail("it cannot be ready")


def test_nobody_answers_on_a_free_port() -> None:
    assert status_of(free_port(), "/") is None


@pytest.fixture
def rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A rival with one requirement, and the programs that are run for it (none is really run)."""
    (tmp_path / "rival").mkdir()
    (tmp_path / "rival" / "requirements.txt").write_text("example==1.0\n")
    monkeypatch.setattr(environments, "RIVALS", tmp_path)
    monkeypatch.setattr(environments, "REPOSITORY", tmp_path)
    commands: list[str] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        commands.append(" ".join(command[1:4]))
        (tmp_path / ".venv-bench-rival").mkdir(exist_ok=True)
        refused = "impossible" in (tmp_path / "rival" / "requirements.txt").read_text() and "pip" in command
        return subprocess.CompletedProcess(command, int(refused), "", "Looking.\nNo such package." if refused else "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_an_environment_is_made_once(tmp_path: Path, rival: list[str]) -> None:
    pythons = {environments.rival_python("rival") for _ in range(2)}

    assert pythons == {tmp_path / ".venv-bench-rival" / "bin" / "python"}
    assert rival == ["-m venv --clear", "-m pip install"]


def test_an_environment_is_made_anew_for_other_requirements(tmp_path: Path, rival: list[str]) -> None:
    environments.rival_python("rival")
    (tmp_path / "rival" / "requirements.txt").write_text("example==2.0\n")
    environments.rival_python("rival")

    assert rival == ["-m venv --clear", "-m pip install"] * 2


def test_a_rival_that_cannot_be_installed_is_told(tmp_path: Path, rival: list[str]) -> None:
    (tmp_path / "rival" / "requirements.txt").write_text("impossible==1.0\n")

    with pytest.raises(EnvironmentMissingError, match=r"rival is not measured: No such package\."):
        environments.rival_python("rival")
    assert len(rival) == 2
    assert not (tmp_path / ".venv-bench-rival" / ".installed").exists()


def test_mxnet_is_installed_by_make(tmp_path: Path, rival: list[str]) -> None:
    assert environments.mxnet_python() == tmp_path / ".venv-mxnet" / "bin" / "python"
    assert rival == ["--silent .venv-mxnet/.installed"]
