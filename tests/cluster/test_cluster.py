"""`manage.py detect --ray` on a real Ray cluster of three nodes, one of which is killed, and `BatchDetector` within
Ray Data, Dask and Daft; `make cluster` runs this.

CLUSTER_PHOTOS and CLUSTER_NAMES are the numbers of photos and of simulated names, CLUSTER_FOLDER the photos, repeated
under other names: 2,000 of another folder and 1,000,000 for the figures of docs/scaling.md, less by default.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detection.conf import BASE_DIR
from tests.cluster.running import PYTHON, RAY, Nodes, detect, fill, running_nodes
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.object_store import ObjectStore, object_store
from tests.support.serving import server_environment

PHOTOS = int(os.environ.get("CLUSTER_PHOTOS", "200"))
NAMES = int(os.environ.get("CLUSTER_NAMES", "20000"))
FOLDER = Path(os.environ.get("CLUSTER_FOLDER", BASE_DIR / "static" / "detection" / "samples"))
pytestmark = [pytest.mark.skipif(not PYTHON, reason="needs Ray: run `make cluster`"), pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store with photos, one of which is damaged."""
    with object_store(tmp_path_factory.mktemp("store")) as running:
        damaged = fill(running, sorted(FOLDER.glob("*.jpg")), PHOTOS)[PHOTOS // 2]
        damaged.write_bytes(damaged.read_bytes()[:60])
        yield running


@pytest.fixture(scope="module")
def nodes(store: ObjectStore) -> Iterator[Nodes]:
    with running_nodes(store.environment, (1, 1, 1)) as running:
        yield running


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def test_cluster_that_loses_a_node_answers_each_photo_once_as_one_machine_does(
    store: ObjectStore, nodes: Nodes, tmp_path: Path
) -> None:
    spread, alone = tmp_path / "spread.jsonl", tmp_path / "alone.jsonl"
    environment = server_environment({"DATA_DIR": str(tmp_path / "data")}) | store.environment
    started = time.monotonic()
    process = detect(environment, spread, "--ray", nodes.address)
    while not spread.exists() or spread.read_bytes().count(b"\n") < PHOTOS // 4:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    nodes.kill_one()
    told, _ = process.communicate()
    print(f"cluster: {time.monotonic() - started:.1f} s\n{told}", file=sys.stderr)
    assert process.returncode == 3, told
    started = time.monotonic()
    told, _ = (process := detect(environment, alone)).communicate()
    print(f"one machine: {time.monotonic() - started:.1f} s\n{told}", file=sys.stderr)
    assert process.returncode == 3, told
    assert len(lines(spread)) == PHOTOS
    assert lines(spread) == lines(alone)


def test_memory_of_the_coordinator_does_not_grow_with_the_names_and_errors_end_it(nodes: Nodes) -> None:
    told = run("tests.cluster.names", nodes.address, str(NAMES)).splitlines()
    memory = [int(line.split()[1]) for line in told[:-1]]
    assert len(memory) == 4
    assert memory[-1] - memory[0] < 20_000_000
    assert told[-1] == "OSError: s3://gone/photos/000000000.jpg cannot be read"


@pytest.mark.parametrize("engine", ["ray", "dask", "daft"])
def test_batch_detector_answers_within_an_engine_as_by_itself(engine: str, nodes: Nodes, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(FOLDER.glob("*.jpg"))[:5]:
        (photos / path.name).write_bytes(path.read_bytes())
    (photos / "none.jpg").write_bytes(b"no photo")
    given = (str(EMBEDDED_PREFIX.parent), str(photos), str(tmp_path / "cache"), nodes.address)
    wanted = [json.loads(line) for line in run("tests.cluster.engines", "alone", *given).splitlines()]
    assert [len(answer.get("prediction", ())) for answer in wanted].count(0) < len(wanted) - 1
    assert [json.loads(line) for line in run("tests.cluster.engines", engine, *given).splitlines()] == wanted


def run(module: str, *arguments: str) -> str:
    """Run a program in the environment of the cluster; return what it prints."""
    command = [PYTHON, "-m", module, *arguments]
    done = subprocess.run(command, cwd=BASE_DIR, env={**os.environ, **RAY}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout, file=sys.stderr)
    return done.stdout
