"""The health check of the Docker image, against small servers that are ready, busy, silent or absent."""

import dataclasses
import os
import socket
import subprocess
import sys

import pytest

from detection.conf import BASE_DIR, Config, Hosts
from detection.serving.probe import problem
from tests.support.file_server import file_server


def config_for(url: str, **changes: object) -> Config:
    port = int(url.rpartition(":")[2])
    return dataclasses.replace(Config(), rest_port=port, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rest_host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 - a value, bound by nobody
def test_a_ready_server_has_no_problem(rest_host: str) -> None:
    with file_server({"readyz": b"ready"}) as server:
        assert problem(config_for(server.url, rest_host=rest_host)) == ""


@pytest.mark.parametrize(
    ("allowed_hosts", "host"),
    [
        pytest.param(("localhost", "127.0.0.1"), "localhost", id="loopback"),
        pytest.param(("photos.example.org",), "photos.example.org", id="a name"),
        pytest.param((".example.org",), "example.org", id="a domain with all its names"),
        pytest.param(("*",), "localhost", id="any"),
        pytest.param((), "localhost", id="no name at all"),
    ],
)
def test_the_host_header_is_one_that_is_allowed(allowed_hosts: tuple[str, ...], host: str) -> None:
    with file_server({"readyz": b"ready"}) as server:
        assert problem(config_for(server.url, hosts=Hosts(allowed_hosts))) == ""
    assert server.seen_hosts == [host]


def test_a_server_that_is_not_ready_is_a_problem() -> None:
    with file_server({"readyz": b""}, status=503) as server:
        assert "answers /readyz with 503 Service Unavailable" in problem(config_for(server.url))


def test_a_silent_server_is_a_problem() -> None:
    with file_server({"readyz": b"ready"}, stall_after=0) as server:
        assert "(timed out)" in problem(config_for(server.url), timeout_s=0.1)


def test_nothing_listening_is_a_problem_and_exit_code_1() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        environment = os.environ | {"REST_HOST": "127.0.0.1", "REST_PORT": str(unused.getsockname()[1])}
        ended = subprocess.run(
            [sys.executable, "-m", "detection.serving.probe"],
            cwd=BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Is the server running?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_ready_server_is_exit_code_0() -> None:
    with file_server({"readyz": b"ready"}) as server:
        environment = os.environ | {"REST_HOST": "127.0.0.1", "REST_PORT": server.url.rpartition(":")[2]}
        ended = subprocess.run(
            [sys.executable, "-m", "detection.serving.probe"], cwd=BASE_DIR, env=environment, check=False
        )
    assert ended.returncode == 0
