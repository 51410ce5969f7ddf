"""Starts a real `manage.py serve` in a process of its own, on a free port, with a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from tests.support.checkpoints import EMBEDDED_PREFIX

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
_REPOSITORY = Path(__file__).resolve().parents[2]
_SERVING = re.compile(r"Serving on (http://\S+)/ ")


@dataclass
class Server:
    """Running server: its address without the last slash, its data folder, and its output so far."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def status(self, name: str) -> str:
        """Return a line of the process's status, as Linux tells it: `VmRSS`, `Threads`."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)


class ServerDidNotStartError(AssertionError):
    """The process ended before it served; `output` is its output."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__(f"manage.py serve ended with {status}:\n{output}")
        self.status = status
        self.output = output


def server_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a test's server: a free port, coverage measured, none of the caller's configuration."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("COV", "COVERAGE", "LANG", "LC_")) or name in {"PATH", "HOME"}
    }
    return {
        **kept,
        "MODEL_PREFIX": str(EMBEDDED_PREFIX),
        "MODEL_PRECISION": "f32",
        "REST_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }


@contextmanager
def running_server(settings: Mapping[str, str], arguments: Sequence[str] = ("manage.py", "serve")) -> Iterator[Server]:
    """Start a server, wait until it reports that it serves, and stop it at the end.

    settings: its environment variables, DATA_DIR among them; arguments: Python's. Raises ServerDidNotStartError.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=_REPOSITORY,
        env=server_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    url: Queue[str | None] = Queue()
    reader = threading.Thread(target=_read, args=(process, lines, url))
    reader.start()
    try:
        address = url.get(timeout=START_TIMEOUT_S)
        if address is None:
            raise ServerDidNotStartError(process.wait(STOP_TIMEOUT_S), "\n".join(lines))
        yield Server(address, Path(settings["DATA_DIR"]), process, lines)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: list[str], url: "Queue[str | None]") -> None:
    """Collect the output; pass on the address when it is printed, None when the output ends without it."""
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        if found := _SERVING.match(line):
            url.put(found[1])
    url.put(None)
