"""Compares `manage.py detect` with the bare steps: the same photos, the same network, plain threads, nothing stored.

Both run alternately, so that other load on the machine affects both alike.

    python -m bench.bulk --photos 2000 --rounds 5 [--record]
"""

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
_SIZE_WH = (640, 427)
_DIFFERENT = 40


def main() -> None:
    """Print the duration of both in each round, and the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="the command also keeps everything in the history")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        from bench import models

        os.environ.update(models.model(models.EMBEDDED, Path(folder)).environment, DATA_DIR=str(Path(folder, "data")))
        paths = _write_photos(Path(folder, "photos"), options.photos)
        _compare(Path(folder), paths, options.rounds, options.record)


def _write_photos(folder: Path, count: int) -> list[Path]:
    from bench.photos import NAMES, jpeg

    folder.mkdir()
    different = [jpeg(NAMES[number % len(NAMES)], (_SIZE_WH[0] + number, _SIZE_WH[1])) for number in range(_DIFFERENT)]
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        # A few bytes after the end of a JPEG make each file different, as in a real base.
        path.write_bytes(different[number % _DIFFERENT] + number.to_bytes(4, "big"))
    return paths


def _compare(folder: Path, paths: list[Path], rounds: int, record: bool) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from detection.predict import service as predict_service
    from detection.serving import service as serving

    call_command("migrate", verbosity=0)
    serving.start(queue_size=1_000_000)
    try:
        _bare(paths[:50])
        bare, bulk = [], []
        for number in range(rounds):
            bare.append(_measured(lambda: _bare(paths), len(paths)))
            bulk.append(_measured(partial(_bulk, folder, number, record), len(paths)))
            print(f"bare: {bare[-1]}; detect: {bulk[-1]}", flush=True)
    finally:
        predict_service.stop()
    rate = statistics.median(one.rate / other.rate for one, other in zip(bulk, bare, strict=True))
    cpu = statistics.median(one.cpu_ms / other.cpu_ms for one, other in zip(bulk, bare, strict=True))
    print(f"median: detect has {rate:.1%} of the bare rate, and takes {cpu:.1%} of the processor time of a photo")


@dataclass(frozen=True, slots=True)
class _Measured:
    """Photos per second, and processor time per photo: the latter is more reliable where others use the same cores."""

    rate: float
    cpu_ms: float

    def __str__(self) -> str:
        return f"{self.rate:.1f} photos/s, {self.cpu_ms:.2f} ms of processor time each"


def _measured(run: Callable[[], object], count: int) -> _Measured:
    started, cpu_started = time.perf_counter(), time.process_time()
    run()
    return _Measured(count / (time.perf_counter() - started), (time.process_time() - cpu_started) * 1000 / count)


def _bare(paths: list[Path]) -> None:
    """Read, decode, stretch, infer and make boxes, in plain threads."""
    from bench import steps
    from detection.inference.hardware import usable_cores
    from detection.serving import service as serving

    detector = serving.ask("").detector
    network, engine, threads = detector.network, detector.engine, steps.THREADS_A_CORE * usable_cores()

    def one(path: Path) -> int:
        prepared = steps.prepare(path.read_bytes(), network)
        outputs = engine.infer(prepared.batch_rgb, photos_in_flight=threads)
        return len(steps.finish(outputs, prepared, network))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, paths))


def _bulk(folder: Path, number: int, record: bool) -> None:
    import io

    from rich.console import Console

    from detection.bulk.journal import Records, Run
    from detection.bulk.processing import PhotoOptions
    from detection.bulk.running import Task, process_all
    from detection.bulk.sources.inputs import Inputs

    inputs = Inputs((str(folder / "photos"),), io.BytesIO(), 20_000_000)
    run = Run(uuid.uuid4(), "jsonl", 0.5, "", "", "")
    with Records(folder / f"out-{number}.jsonl") as records:
        process_all(Task(inputs, PhotoOptions(0.5, record, None), run), records, Console(file=io.StringIO()))


if __name__ == "__main__":
    main()
