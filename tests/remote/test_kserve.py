"""The real thing: our exported model on KServe's model server, another process that shares no code with us.

`make remote` makes its environment and runs this. Detections through MODEL_ENGINE=remote are those of the local engine,
over HTTP and over gRPC; when KServe is killed and started again, our server is not ready, and ready again.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import photos
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.serving import Server, running_server, server_environment

PYTHON = os.environ.get("KSERVE_PYTHON", "")
NAME = "mobilenet_ssd_voc"
PATIENCE_S = 60.0
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs KServe: run `make remote`")


@dataclass
class KServe:
    """KServe with a model of a repository, on two ports of this machine."""

    repository: Path
    http_port: int
    grpc_port: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        script = Path(__file__).with_name("kserve_model.py")
        ports = [f"--http_port={self.http_port}", f"--grpc_port={self.grpc_port}"]
        with (self.repository / "kserve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PYTHON, script, f"--repository={self.repository}", f"--model={NAME}", *ports], stdout=log, stderr=log
            )
        address = f"http://127.0.0.1:{self.http_port}/v2/models/{NAME}/ready"
        until(lambda: status_of(address) == 200)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def status_of(address: str) -> int:
    try:
        return httpx.get(address).status_code
    except httpx.TransportError:
        return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def kserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    """Serves what the command has exported."""
    folder = tmp_path_factory.mktemp("repository")
    environment = server_environment({"DATA_DIR": str(tmp_path_factory.mktemp("data"))})
    command = [sys.executable, "manage.py", "export_model", "--for", "triton", str(folder)]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2], capture_output=True)
    server = KServe(folder, free_port(), free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that runs the network itself."""
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("local")), "MODEL_ENGINE": "onnxruntime"}
    with running_server(settings) as server:
        yield server


@pytest.fixture(scope="module", params=["http", "grpc"])
def remote(
    request: pytest.FixtureRequest, kserve: KServe, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that leaves the network to KServe."""
    port = kserve.http_port if request.param == "http" else kserve.grpc_port
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("remote")),
        "MODEL_PREFIX": str(EMBEDDED_PREFIX),
        "MODEL_ENGINE": "remote",
        "REMOTE_URL": f"{request.param}://127.0.0.1:{port}?model={NAME}",
    }
    with running_server(settings) as server:
        yield server


PHOTOS = {
    "cat": photos.real_photo("chelsea"),
    "astronaut": photos.real_photo("astronaut"),
    "motorcycle": photos.real_photo("motorcycle_left"),
    "noise": photos.encode(photos.noise((640, 480), 3)),
}


def detect(server: Server, photo: bytes) -> Any:
    answer = httpx.post(
        f"{server.url}/predict",
        content=photo,
        params={"threshold": "0.1", "store": "0"},
        headers={"Content-Type": "image/jpeg"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["prediction"]


@pytest.mark.parametrize("name", PHOTOS)
def test_detections_through_kserve_are_those_of_the_local_engine(name: str, local: Server, remote: Server) -> None:
    ours, theirs = detect(local, PHOTOS[name]), detect(remote, PHOTOS[name])
    assert [(one["objectClass"], *box(one)) for one in theirs] == [(one["objectClass"], *box(one)) for one in ours]
    assert [one["probability"] for one in theirs] == pytest.approx([one["probability"] for one in ours], abs=1e-6)
    assert ours


def box(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[key] for key in ("x", "y", "width", "height"))


def test_what_is_kept_names_the_remote_engine(remote: Server) -> None:
    model = httpx.get(f"{remote.url}/api/model").json()
    assert (model["engine"], model["precision"]) == ("remote", "remote")
    assert model["device"].startswith("127.0.0.1:")


def test_kserve_that_was_killed_is_noticed_and_found_again(kserve: KServe, remote: Server) -> None:
    ready = f"{remote.url}/readyz"
    before = detect(remote, PHOTOS["cat"])
    until(lambda: status_of(ready) == 200)
    kserve.kill()
    answer = httpx.post(
        f"{remote.url}/predict", content=PHOTOS["cat"], headers={"Content-Type": "image/jpeg"}, timeout=60
    )
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("The model server")
    until(lambda: status_of(ready) == 503)
    assert status_of(f"{remote.url}/healthz") == 200
    kserve.start()
    until(lambda: status_of(ready) == 200)
    assert detect(remote, PHOTOS["cat"]) == before
