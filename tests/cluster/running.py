"""Runs a Ray cluster, and `manage.py detect` on it and beside it, for the tests and for `throughput.py`."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from detection.conf import BASE_DIR
from tests.support.object_store import BUCKET, ObjectStore

PYTHON = os.environ.get("RAY_PYTHON", "")
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    # Nothing here is about time: a busy machine loses no node by it.
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_health_check_timeout_ms": "300000",
    # Ray gives its workers 15, with which a busy machine hardly runs them.
    "RAY_worker_niceness": "0",
}
PHOTOS_AT = f"s3://{BUCKET}/base"


class Nodes:
    """Cluster in a process of its own, and its address."""

    def __init__(self, environment: Mapping[str, str], cores: Sequence[int]) -> None:
        self.process = subprocess.Popen(
            [PYTHON, str(Path(__file__).with_name("nodes.py")), *map(str, cores)],
            env={**os.environ, **RAY, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._told()

    def kill_one(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill\n")
        self.process.stdin.flush()
        assert self._told() == "killed"

    def _told(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the cluster did not start"
        return line


@contextmanager
def running_nodes(environment: Mapping[str, str], cores: Sequence[int]) -> Iterator[Nodes]:
    """Start nodes with so many cores each, and stop them at the end."""
    nodes = Nodes(environment, cores)
    try:
        yield nodes
    finally:
        nodes.process.communicate()


def detect(environment: Mapping[str, str], output: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start `detect` on the photos of the store."""
    command = [PYTHON, str(BASE_DIR / "manage.py"), "detect", PHOTOS_AT, "--output", str(output), *arguments]
    return subprocess.Popen(
        command, env={**environment, **RAY}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def fill(store: ObjectStore, photos: Sequence[Path], count: int) -> list[Path]:
    """Put so many photos into a store, these again and again; return their files: it keeps an object as a file."""
    folder = store.folder / BUCKET / "base"
    folder.mkdir()
    return [
        Path(shutil.copy(photo, folder / f"{number:07}.jpg"))
        for number, photo in enumerate(islice(cycle(photos), count))
    ]
