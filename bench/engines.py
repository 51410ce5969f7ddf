"""Compares engines, one photo a call: ours in each precision, MXNet 1.9.1, and the float32 floor."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import models, part, photos
from bench.alternate import alternate, ratio_of_rounds
from bench.environments import EnvironmentMissingError, mxnet_python
from bench.flops import multiply_add_flops
from bench.matrix_worker import PRODUCT_FLOPS
from bench.models import Model
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.worker import Worker, WorkerError
from detection.inference.convert.cache import prepare_network
from detection.inference.hardware import usable_cores

MXNET = "MXNet 1.9.1"
OURS = "openvino f32"
_LIBRARIES = ("numpy", "openvino")
# With the ResNet-50 network: required speed-up of each precision over MXNet, and the share of the f32 floor.
_WANTED_SPEEDUPS = {OURS: 2.0, "openvino bf16": 4.0, "openvino int8": 7.0}
_WANTED_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a photo in one round: the median wall time, and the CPU time on all cores, less disturbed by other
    programs.
    """

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """Engine in one precision.

    threads: OMP_NUM_THREADS; by itself MXNet takes half of the cores, as if the others were hyper-threads.
    """

    engine: str
    precision: str = "f32"
    threads: int = 0

    @property
    def name(self) -> str:
        """Label for tables."""
        if self.engine == "mxnet":
            return f"{MXNET}, {self.threads} threads" if self.threads else MXNET
        return f"{self.engine} {self.precision}"


CONTESTANTS = (
    Contestant("mxnet"),
    Contestant("mxnet", threads=usable_cores()),
    Contestant("openvino"),
    Contestant("onnxruntime"),
    Contestant("openvino", "bf16"),
    Contestant("openvino", "int8"),
    Contestant("onnxruntime", "int8"),
)


def measure(context: Context) -> None:
    """Measure every requested model that is on this machine."""
    for name in context.options.models:
        try:
            model = models.model(name, context.folder)
            models.quantize(model, photos.write_jpegs(context.folder / "photos", photos.SMALL_WH), context.folder)
            _measure_model(context, model)
        except models.ModelMissingError as error:
            context.report.notes.append(str(error))


def _measure_model(context: Context, model: Model) -> None:
    cache = context.folder / "cache"
    with ExitStack() as stack:
        floor = stack.enter_context(Worker(Path(sys.executable), "bench.matrix_worker", []))
        runs = _runs(context, model)
        contestants: dict[str, Callable[[], Timing]] = {
            library: partial(_product, floor, library, runs) for library in _LIBRARIES
        }
        for name, worker in _workers(context, model, cache, stack):
            contestants[name] = partial(_timing, worker, runs)
        found = alternate(contestants, context.options.rounds, tell=context.teller(model.name))
    flops = multiply_add_flops(prepare_network(model.prefix, 0, model.edge, cache).onnx_path)
    _report(context, model.name, flops, found)


def _runs(context: Context, model: Model) -> int:
    """Return the number of runs in a round, more for small networks, so that a round is long enough."""
    few: int = context.options.runs
    return few * (10 if model.name == models.EMBEDDED else 1)


def _workers(context: Context, model: Model, cache: Path, stack: ExitStack) -> Iterator[tuple[str, Worker]]:
    """Start a worker for each contestant that this machine can run; return a note for each other."""
    for contestant in CONTESTANTS:
        arguments = [*model.arguments, f"--cache={cache}", f"--engine={contestant.engine}"]
        arguments.append(f"--precision={contestant.precision}")
        try:
            python = mxnet_python() if contestant.engine == "mxnet" else Path(sys.executable)
            environment = {"OMP_NUM_THREADS": str(contestant.threads)} if contestant.threads else {}
            worker = Worker(python, "bench.engine_worker", arguments, environment)
            yield contestant.name, stack.enter_context(worker)
        except (EnvironmentMissingError, WorkerError) as error:
            context.report.notes.append(f"{model.name}: {contestant.name} is left out. {error}")


def _timing(worker: Worker, runs: int) -> Timing:
    answer = worker.ask(runs=runs)
    return Timing(median(answer["seconds"]), answer["cpu_seconds"])


def _product(worker: Worker, library: str, runs: int) -> Timing:
    answer = worker.ask(library=library, runs=runs)
    return Timing(median(answer["seconds"]), answer["cpu_seconds"])


def _report(context: Context, model: str, flops: float, found: Mapping[str, Sequence[Timing]]) -> None:
    seconds = {name: [timing.seconds for timing in timings] for name, timings in found.items()}
    library = min(_LIBRARIES, key=lambda name: median(seconds[name]))
    # Time of the network at the rate of the faster matrix product.
    floors = [flops / PRODUCT_FLOPS * product for product in seconds[library]]
    engines = {name: times for name, times in seconds.items() if name not in _LIBRARIES}
    shares = {name: ratio_of_rounds(floors, times) for name, times in engines.items()}
    mxnet = engines.get(MXNET)
    speedups = {name: ratio_of_rounds(mxnet, times) if mxnet else float("nan") for name, times in engines.items()}
    cpu_ms = {name: median(timing.cpu_seconds for timing in found[name]) * 1000 for name in engines}
    rows = [
        [name, *map(number, (median(times) * 1000, cpu_ms[name], speedups[name], shares[name]))]
        for name, times in engines.items()
    ]
    title = (
        f"{model}, one photo a call: {number(flops / 1e9)} GFLOP, which take {number(median(floors) * 1000)} ms at the "
        f"rate of {library}'s float32 matrix product ({number(flops / median(floors) / 1e9)} GFLOP/s), the floor"
    )
    columns = ["", "ms", "CPU ms", "times MXNet", "share of the f32 floor"]
    context.report.tables.append(Table(title, columns, rows))
    context.report.results[model] = {
        "flops": flops,
        "matrix_flops_per_second": {name: PRODUCT_FLOPS / median(seconds[name]) for name in _LIBRARIES},
        "seconds": {name: median(times) for name, times in engines.items()},
        "cpu_ms": cpu_ms,
        "times_mxnet": speedups,
        "share_of_f32_floor": shares,
    }
    if model == models.RESNET50:
        context.report.claims += claims(speedups, shares)


def claims(speedups: Mapping[str, float], shares: Mapping[str, float]) -> list[Claim]:
    """Return the requirements of the engines with the ResNet-50 network."""
    found = [
        Claim(f"ResNet-50, {name}: times MXNet 1.9.1", speedups[name], wanted)
        for name, wanted in _WANTED_SPEEDUPS.items()
        if name in speedups
    ]
    if OURS in shares:
        found.append(Claim(f"ResNet-50, {OURS}: share of the floor", shares[OURS], _WANTED_SHARE))
    return found


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=3, help="photos in a round; ten times as many of a small network")
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=list(models.NAMES))


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("engines", __doc__ or "", measure, rounds=5, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
