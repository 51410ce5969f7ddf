"""`manage.py detect --ray` on a real Ray cluster of three nodes, one of which is killed; `make cluster` runs this.

CLUSTER_PHOTOS and CLUSTER_NAMES are the numbers of photos and of simulated names: 2,000 and 1,000,000 for the figures
of docs/scaling.md, less by default.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from detection.conf import BASE_DIR
from tests.support import photos
from tests.support.object_store import BUCKET, ObjectStore, object_store
from tests.support.serving import server_environment

PYTHON = os.environ.get("RAY_PYTHON", "")
PHOTOS = int(os.environ.get("CLUSTER_PHOTOS", "200"))
NAMES = int(os.environ.get("CLUSTER_NAMES", "40000"))
HERE = Path(__file__).parent
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    # Nothing here is about time: a busy machine loses no node by it.
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_health_check_timeout_ms": "300000",
}
pytestmark = [pytest.mark.skipif(not PYTHON, reason="needs Ray: run `make cluster`"), pytest.mark.timeout(1200)]


class Nodes:
    """The cluster, in a process of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [PYTHON, str(HERE / "nodes.py")],
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

    def stop(self) -> None:
        self.process.communicate()

    def _told(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the cluster did not start"
        return line


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store with photos, one of which is none."""
    with object_store(tmp_path_factory.mktemp("store")) as running:
        # It keeps an object as a file.
        folder = running.folder / BUCKET / "base"
        folder.mkdir()
        for number in range(PHOTOS):
            photo = photos.encode(photos.noise((64, 48), number))
            (folder / f"{number:05}.jpg").write_bytes(photo if number != PHOTOS // 2 else photo[:60])
        (folder / "00000.jpg").write_bytes(photos.real_photo("chelsea"))
        client = boto3.client(
            "s3",
            endpoint_url=running.endpoint,
            region_name="us-east-1",
            aws_access_key_id=running.key,
            aws_secret_access_key=running.secret,
            config=Config(s3={"addressing_style": "path"}),
        )
        assert client.list_objects_v2(Bucket=BUCKET, Prefix="base/", MaxKeys=1)["KeyCount"] == 1
        yield running


@pytest.fixture(scope="module")
def nodes(store: ObjectStore) -> Iterator[Nodes]:
    running = Nodes(store.environment)
    yield running
    running.stop()


def detect(store: ObjectStore, output: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = server_environment({"DATA_DIR": str(output.parent / "data")}) | store.environment | RAY
    command = [
        PYTHON,
        str(BASE_DIR / "manage.py"),
        "detect",
        f"s3://{BUCKET}/base",
        "--output",
        str(output),
        *arguments,
    ]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def test_cluster_that_loses_a_node_answers_each_photo_once_as_one_machine_does(
    store: ObjectStore, nodes: Nodes, tmp_path: Path
) -> None:
    spread, alone = tmp_path / "spread.jsonl", tmp_path / "alone.jsonl"
    started = time.monotonic()
    process = detect(store, spread, "--ray", nodes.address)
    while not spread.exists() or spread.read_bytes().count(b"\n") < PHOTOS // 4:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    nodes.kill_one()
    told, _ = process.communicate()
    print(f"cluster: {time.monotonic() - started:.1f} s\n{told}", file=sys.stderr)
    assert process.returncode == 3, told
    started = time.monotonic()
    told, _ = (process := detect(store, alone)).communicate()
    print(f"one machine: {time.monotonic() - started:.1f} s\n{told}", file=sys.stderr)
    assert process.returncode == 3, told
    assert len(lines(spread)) == PHOTOS
    assert lines(spread) == lines(alone)


def test_memory_of_the_coordinator_does_not_grow_with_the_names(nodes: Nodes) -> None:
    command = [PYTHON, "-m", "tests.cluster.names", nodes.address, str(NAMES)]
    done = subprocess.run(command, cwd=BASE_DIR, env={**os.environ, **RAY}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout, file=sys.stderr)
    memory = [int(line.split()[1]) for line in done.stdout.splitlines()]
    assert len(memory) == 4
    assert memory[-1] - memory[0] < 20_000_000
