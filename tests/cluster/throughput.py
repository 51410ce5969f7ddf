"""Measures `detect --ray` against `detect` on the same cores and the same photos of a store, alternating.

    RAY_PYTHON=.venv-ray/bin/python .venv/bin/python -m tests.cluster.throughput FOLDER --photos 2000 --cores 1 1 1

FOLDER has the photos, repeated under other names up to their number; cores: of each node. Prints for each run photos a
second from the first to the last result, the CPU time of a photo between them (of all processes but the store's), and
photos a second of the whole command; then the medians of the rounds' ratios.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench.alternate import alternate, ratio_of_rounds
from tests.cluster.running import detect, fill, running_nodes
from tests.support.object_store import object_store

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took. steady: from the first to the last result."""

    steady_rate: float
    steady_cpu_ms: float
    whole_rate: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 1, 1])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, object_store(Path(folder)) as store:
        fill(store, sorted(asked.folder.iterdir()), asked.photos)
        environment = {**os.environ, **store.environment, "DATA_DIR": f"{folder}/data"}
        output = Path(folder, "out.jsonl")
        with running_nodes(store.environment, asked.cores) as nodes:
            of_cluster = partial(_measure, environment, output, nodes.process.pid, ("--ray", nodes.address))
            runs = alternate(
                {"alone": partial(_measure, environment, output, 0, ()), "cluster": of_cluster},
                asked.rounds,
                tell=print,
            )
        for name in ("steady_rate", "steady_cpu_ms", "whole_rate"):
            alone, cluster = ([getattr(run, name) for run in runs[way]] for way in ("alone", "cluster"))
            print(f"{name}: cluster / alone {ratio_of_rounds(cluster, alone):.3f}", flush=True)


def _measure(environment: dict[str, str], output: Path, nodes: int, arguments: tuple[str, ...]) -> Run:
    output.unlink(missing_ok=True)
    started = time.monotonic()
    process = detect(environment, output, *arguments)
    roots = {process.pid, nodes}
    first = last = (0, started, 0.0)
    while process.poll() is None:
        count = output.read_bytes().count(b"\n") if output.exists() else 0
        if count > last[0]:
            last = (count, time.monotonic(), _cpu_s(roots))
            first = first if first[0] else last
        time.sleep(_LOOK_EVERY_S)
    whole_s = time.monotonic() - started
    told = process.communicate()[0]
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, "detect", told)
    photos = last[0] - first[0]
    steady_s, cpu_s = last[1] - first[1], last[2] - first[2]
    run = Run(photos / steady_s, 1000 * cpu_s / photos, output.read_bytes().count(b"\n") / whole_s)
    print({name: round(value, 2) for name, value in asdict(run).items()}, flush=True)
    return run


def _cpu_s(roots: set[int]) -> float:
    """Return the CPU time of processes and all below them."""
    parents, spent = {}, {}
    for pid, (parent, ticks) in _processes():
        parents[pid], spent[pid] = parent, ticks
    return sum(ticks for pid, ticks in spent.items() if _is_below(pid, roots, parents)) / _TICKS


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            yield int(folder.name), (int(fields[1]), sum(map(int, fields[11:15])))


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False


if __name__ == "__main__":
    main()
