"""Measures a JPEG of 24 megapixels in tiles against as many runs of the network alone: time, CPU time, memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from bench import part, photos
from bench.alternate import alternate, ratio_of_rounds
from bench.part import Context
from bench.report import Claim, Report, Table, number
from detection.inference.detector import Detector, DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource
from detection.inference.tiles.grid import AUTO, Tiling

MODEL = Path(__file__).resolve().parents[1] / "models" / "nanodet_plus_m"
SIZE_WH = (6000, 4000)
_WANTED_RATIO, _WANTED_MB = 1.15, 600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, and of all cores."""

    wall_s: float
    cpu_s: float


def measure(context: Context) -> None:
    """Alternate a photo in tiles, the same photo without them, and the network alone, once for each view."""
    source = ModelSource(MODEL)
    detector = load_detector(DetectorOptions(source, context.folder / "cache", EngineOptions()))
    try:
        data = photos.jpeg(photos.NAMES[0], SIZE_WH)
        _forget_peak()
        found = detector.detect(data, tiles=AUTO)
        views = 1 + found.tiling.columns * found.tiling.rows
        costs = alternate(
            {
                "network": lambda: _cost(lambda: _run_alone(detector, views)),
                "tiles": lambda: _cost(lambda: detector.detect(data, tiles=AUTO)),
                "whole": lambda: _cost(lambda: detector.detect(data)),
            },
            context.options.rounds,
            tell=context.tell,
        )
    finally:
        detector.close()
    _report(context, costs, found.tiling, len(data), detector.engine.precision)


def _run_alone(detector: Detector, times: int) -> None:
    """Run the network so many times, one after the other."""
    width, height = detector.network.size_wh
    image_rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for _ in range(times):
        detector.submit_input(image_rgb).result()


def _cost(work: Callable[[], object]) -> Cost:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def _forget_peak() -> None:
    """Let Linux count the peak of this process anew: making the photo took more than anything after it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _report(context: Context, costs: dict[str, list[Cost]], tiling: Tiling, size: int, precision: str) -> None:
    walls = {name: [each.wall_s for each in found] for name, found in costs.items()}
    cores = {name: [each.cpu_s for each in found] for name, found in costs.items()}
    titles = {"network": "the network alone, once for each view", "tiles": f"in {tiling.grid} tiles", "whole": "whole"}
    ratios = {name: ratio_of_rounds(walls[name], walls["network"]) for name in titles}
    core_ratios = {name: ratio_of_rounds(cores[name], cores["network"]) for name in titles}
    peak_mb = _peak_bytes() / 1e6
    rows = [
        [title, number(1000 * median(walls[name])), number(ratios[name]), number(1000 * median(cores[name])),
         number(core_ratios[name])]
        for name, title in titles.items()
    ]  # fmt: skip
    title = f"A JPEG of {SIZE_WH[0]} x {SIZE_WH[1]} pixels, {size / 1e6:.1f} MB, in {precision}"
    context.report.tables.append(Table(title, ["", "ms", "ratio", "CPU ms", "ratio of CPU"], rows))
    context.report.results.update({"wall_ratio": ratios, "cpu_ratio": core_ratios, "peak_mb": peak_mb})
    context.report.claims += [
        Claim("time in tiles, of the network alone", ratios["tiles"], _WANTED_RATIO, at_most=True),
        Claim("peak of the resident set", peak_mb, _WANTED_MB, " MB", at_most=True),
    ]


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("tiles", __doc__ or "", measure, rounds=15, arguments=arguments)


if __name__ == "__main__":
    main()
