"""Starts servers in processes of their own, on free loopback ports, with a folder of their own."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.01
KEPT = {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH"}


class ServerError(RuntimeError):
    """A server did not start; the message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Server:
    """Running server: the address to post photos to, and its process. ready_s: from its start to its first response."""

    name: str
    url: str
    process: psutil.Popen
    ready_s: float

    @property
    def address(self) -> str:
        """Scheme, host and port."""
        return self.url.rsplit("/", 1)[0]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and its children, user and system, so far."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def resident_bytes(self) -> int:
        """Return the resident set now."""
        return int(self.process.memory_info().rss)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    ready_path: str = "/",
    predict_path: str = "/predict",
) -> Iterator[Server]:
    """Start a server, poll `ready_path` until it answers 200, and stop it at the end. Raises ServerError.

    environment: on top of the variables that every program needs; the caller's configuration is not inherited.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / f"{name}.log"
    kept = {key: value for key, value in os.environ.items() if key in KEPT}
    started = time.perf_counter()
    with log_path.open("wb") as log:
        process = psutil.Popen(
            command, cwd=REPOSITORY, env={**kept, **(environment or {})}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(name, process, port, ready_path, log_path)
        yield Server(name, f"http://127.0.0.1:{port}{predict_path}", process, time.perf_counter() - started)
    finally:
        _stop(process)


@contextmanager
def our_server(folder: Path, settings: Mapping[str, str], *, name: str = "ours", program: str = "") -> Iterator[Server]:
    """Start `manage.py serve` with its data in `folder`, in f32 unless `settings` say otherwise, as what it is compared
    with; `program`: a module that serves in its place.
    """
    port = free_port()
    command = [sys.executable, "-m", program] if program else [sys.executable, "manage.py", "serve"]
    environment = {"REST_PORT": str(port), "DATA_DIR": str(folder / "data"), "MODEL_PRECISION": "f32", **settings}
    with running(name, command, port=port, folder=folder, environment=environment, ready_path="/readyz") as server:
        yield server


def status_of(port: int, path: str, timeout_s: float = 5.0) -> int | None:
    """Return the status of a GET; None without a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _wait_until_ready(name: str, process: psutil.Popen, port: int, path: str, log_path: Path) -> None:
    deadline = time.perf_counter() + START_TIMEOUT_S
    while status_of(port, path) != 200:
        if process.poll() is not None or time.perf_counter() > deadline:
            printed = log_path.read_text(encoding="utf-8", errors="replace")
            raise ServerError(f"The server {name} did not start. It said:\n{printed[-2000:]}")
        time.sleep(_POLL_S)


def _stop(process: psutil.Popen) -> None:
    """Stop a server and the workers that it left behind."""
    try:
        family = process.children(recursive=True)
        process.terminate()
    except psutil.NoSuchProcess:
        family = []
    _, alive = psutil.wait_procs([process, *family], timeout=STOP_TIMEOUT_S)
    for one in alive:
        one.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)
