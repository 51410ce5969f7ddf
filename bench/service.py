"""Measures the whole service under load, against the same steps in a bare loop, with history off and on, and by photo
size.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench import models, part, photos, plots, steps
from bench.alternate import alternate, ratio_of_rounds
from bench.load import LoadResult, percentile, pooled, send
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, our_server
from bench.worker import Worker
from detection.inference.hardware import usable_cores

OFF, ON = "?store=0", ""
_WANTED_SHARE = {models.EMBEDDED: (0.85, 0.65), models.RESNET50: (0.95, 0.90)}
_FEW_CLIENTS, _CLIENTS, _MANY_CLIENTS = 1, 8, 16
_BARE_ONE, _BARE_ALL = "bare loop, one thread", "bare loop, all cores"


def measure(context: Context) -> None:
    """Measure every requested model that is on this machine."""
    for name in context.options.models:
        try:
            model = models.model(name, context.folder)
        except models.ModelMissingError as error:
            context.report.notes.append(str(error))
            continue
        with ExitStack() as stack:
            folder = context.folder / name
            server = stack.enter_context(our_server(folder, model.environment))
            cache = f"--cache={folder / 'data' / 'cache'}"
            bare = stack.enter_context(Worker(Path(sys.executable), "bench.bare_loop", [*model.arguments, cache]))
            _against_bare_loop(context, name, server, bare)
            if name == models.EMBEDDED and context.options.sizes:
                _by_size(context, server)


def _against_bare_loop(context: Context, name: str, server: Server, bare: Worker) -> None:
    paths = photos.write_jpegs(context.folder / "photos", photos.SMALL_WH)
    # The slower the network, the longer a stable median takes.
    seconds = context.options.seconds * (1 if name == models.EMBEDDED else 2)

    def loaded(query: str, clients: int) -> LoadResult:
        return send(server.url + query, paths, clients=clients, seconds=seconds)

    contestants: dict[str, Callable[[], LoadResult]] = {
        _BARE_ONE: partial(_bare, bare, paths, 1, seconds),
        _BARE_ALL: partial(_bare, bare, paths, usable_cores() * steps.THREADS_A_CORE, seconds),
    }
    for clients in (_FEW_CLIENTS, _CLIENTS, _MANY_CLIENTS):
        contestants[_case("off", clients)] = partial(loaded, OFF, clients)
        contestants[_case("on", clients)] = partial(loaded, ON, clients)
    for warm_up in (_BARE_ONE, _BARE_ALL, _case("off", _CLIENTS), _case("on", _CLIENTS)):
        contestants[warm_up]()
    found = alternate(contestants, context.options.rounds, tell=context.teller(name))
    _report_shares(context, name, found)


def _bare(bare: Worker, paths: Sequence[Path], threads: int, seconds: float) -> LoadResult:
    answer = bare.ask(photos=[str(path) for path in paths], threads=threads, seconds=seconds)
    latencies = tuple(answer["latencies_ms"])
    return LoadResult(latencies, {200: len(latencies)}, answer["throughput"], percentile(latencies, 100))


def _case(history: str, clients: int) -> str:
    return f"service, history {history}, clients: {clients}"


def _report_shares(context: Context, name: str, found: Mapping[str, Sequence[LoadResult]]) -> None:
    bare = [result.throughput for result in found[_BARE_ALL]]
    shares = {case: ratio_of_rounds([result.throughput for result in rounds], bare) for case, rounds in found.items()}
    together = {case: pooled(rounds) for case, rounds in found.items()}
    context.report.tables += _tables(f"{name}, 500 x 375 pixels", together, shares)
    context.report.results[name] = {
        case: result.summary() | {"share_of_bare_loop": shares[case]} for case, result in together.items()
    }
    plots.by_stage(
        context.results / f"service-stages-{name}.png",
        f"Where a request's time goes ({name})",
        {case: result.stages_ms for case, result in together.items() if result.stages_ms},
    )
    off, on = _WANTED_SHARE[name]
    context.report.claims += [
        Claim(f"{name}, 8 clients, history off: share of the bare loop", shares[_case("off", _CLIENTS)], off),
        Claim(f"{name}, 8 clients, history on: share of the bare loop", shares[_case("on", _CLIENTS)], on),
    ]
    if name == models.EMBEDDED:
        many = together[_case("off", _MANY_CLIENTS)]
        context.report.claims += [
            Claim("one client: p50 above that of the steps alone", _added_ms(found), 4.0, " ms", at_most=True),
            Claim("16 clients: p99 / p50", many.percentile_ms(99) / many.percentile_ms(50), 3.0, at_most=True),
        ]


def _added_ms(found: Mapping[str, Sequence[LoadResult]]) -> float:
    """Return the service's share of a lone caller's median latency: the median of the rounds' differences."""
    pairs = zip(found[_case("off", _FEW_CLIENTS)], found[_BARE_ONE], strict=True)
    return median(service.percentile_ms(50) - steps.percentile_ms(50) for service, steps in pairs)


def _by_size(context: Context, server: Server) -> None:
    contestants: dict[str, Callable[[], LoadResult]] = {}
    for size, size_wh in photos.SIZES_WH.items():
        paths = photos.write_jpegs(context.folder / "photos", size_wh)
        for history, query in (("off", OFF), ("on", ON)):
            contestants[f"{size}, history {history}"] = partial(
                send, server.url + query, paths, clients=_CLIENTS, seconds=context.options.seconds
            )
    found = alternate(contestants, context.options.rounds, tell=context.tell)
    together = {case: pooled(rounds) for case, rounds in found.items()}
    context.report.tables += _tables("embedded, by size of photo, 8 clients", together, {})
    context.report.results["sizes"] = {case: result.summary() for case, result in together.items()}
    plots.by_stage(
        context.results / "service-stages-sizes.png",
        "Where a request's time goes, by size of photo, 8 clients",
        {case: result.stages_ms for case, result in together.items()},
    )


def _tables(title: str, results: Mapping[str, LoadResult], shares: Mapping[str, float]) -> list[Table]:
    """Build tables of throughput and latency, and of the time by stage."""
    rows = []
    for case, result in results.items():
        numbers = [result.throughput, *(result.percentile_ms(percent) for percent in (50, 95, 99))]
        share = [number(shares[case])] if shares else []
        rows.append([case, *share, *map(number, numbers), str(sum(result.failures.values()))])
    columns = ["", *(["share"] if shares else []), "photos/s", "p50 ms", "p95 ms", "p99 ms", "failed"]
    staged = {case: result.stages_ms for case, result in results.items() if result.stages_ms}
    stages = list(dict.fromkeys(stage for times in staged.values() for stage in times))
    stage_rows = [[case, *(number(times.get(stage, 0.0), 2) for stage in stages)] for case, times in staged.items()]
    return [Table(title, columns, rows), Table(f"{title}: median ms in each stage", ["", *stages], stage_rows)]


def _options(parser: argparse.ArgumentParser) -> None:
    part.seconds_option(2.0)(parser)
    parser.add_argument("--models", nargs="+", choices=models.NAMES, default=list(models.NAMES))
    parser.add_argument(
        "--sizes", action=argparse.BooleanOptionalAction, default=True, help="other sizes of photos too"
    )


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("service", __doc__ or "", measure, rounds=3, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
