"""Compares this service with LitServe and FastAPI: the same network, machine, cores and photos, at every
concurrency.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench import models, part, photos, plots
from bench.alternate import alternate, ratio_of_rounds
from bench.environments import REPOSITORY, RIVALS, EnvironmentMissingError, rival_python
from bench.load import LoadResult, pooled, send
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, free_port, our_server, running

OURS = "this service"
# Where a rival has an option that suits some loads and not others, each value runs, and the better one counts.
VARIANTS = {"litserve": ("1", "2"), "fastapi": ("latency", "throughput")}
CLIENTS = (1, 2, 4, 8, 16, 32)
_OTHER_CLIENTS = (8,)

Rounds = Mapping[str, Sequence[LoadResult]]


def measure(context: Context) -> None:
    """Measure with history off: the rivals have none."""
    model = models.model(context.options.model, context.folder)
    with ExitStack() as stack:
        servers = {OURS: stack.enter_context(our_server(context.folder / "ours", model.environment))}
        cache = context.folder / "ours" / "data" / "cache"
        for rival, variant in [(rival, variant) for rival, variants in VARIANTS.items() for variant in variants]:
            try:
                server = stack.enter_context(rival_server(rival, variant, model, cache, context.folder))
            except EnvironmentMissingError as error:
                context.report.notes.append(str(error))
                continue
            servers[server.name] = server
        _by_concurrency(context, servers)
        if context.options.sizes:
            _by_size(context, servers)


@contextmanager
def rival_server(name: str, variant: str, model: models.Model, cache: Path, folder: Path) -> Iterator[Server]:
    """Start a rival in its own environment, serving the converted network of `cache`. Raises
    EnvironmentMissingError.
    """
    python, port = rival_python(name), free_port()
    command = [str(python), str(RIVALS / name / "server.py"), f"--port={port}", f"--variant={variant}"]
    command += [*model.arguments, f"--cache={cache}"]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    label = f"{name} ({variant})"
    with running(label, command, port=port, folder=folder, environment=environment, ready_path="/health") as server:
        yield server


def _by_concurrency(context: Context, servers: Mapping[str, Server]) -> None:
    paths = photos.write_jpegs(context.folder / "photos", photos.SMALL_WH)
    results: dict[str, dict[int, LoadResult]] = {name: {} for name in servers}
    for clients in context.options.clients:
        rounds = _load_all(context, servers, paths, clients, f"clients: {clients}")
        for name, one in rounds.items():
            results[name][clients] = pooled(one)
        context.report.claims += claims_ahead(f"clients: {clients}", rounds)
    title = f"{context.options.model}, 500 x 375 pixels, history off"
    context.report.tables.append(_table(title, results))
    context.report.results["concurrency"] = {
        name: {str(clients): result.summary() for clients, result in by_clients.items()}
        for name, by_clients in results.items()
    }
    plots.by_concurrency(context.results / f"rivals-{context.options.model}.png", title, results)


def _by_size(context: Context, servers: Mapping[str, Server]) -> None:
    for size, size_wh in photos.SIZES_WH.items():
        paths = photos.write_jpegs(context.folder / "photos", size_wh)
        results: dict[str, dict[int, LoadResult]] = {name: {} for name in servers}
        for clients in _OTHER_CLIENTS:
            rounds = _load_all(context, servers, paths, clients, f"{size}, clients: {clients}")
            for name, one in rounds.items():
                results[name][clients] = pooled(one)
            context.report.claims += claims_ahead(f"{size}, clients: {clients}", rounds)
        context.report.tables.append(_table(f"{context.options.model}, photos of {size}, history off", results))
        context.report.results[size] = {
            name: {str(clients): result.summary() for clients, result in by_clients.items()}
            for name, by_clients in results.items()
        }


def _load_all(
    context: Context, servers: Mapping[str, Server], paths: Sequence[Path], clients: int, what: str
) -> Rounds:
    def load(server: Server, seconds: float) -> LoadResult:
        query = "?store=0" if server.name == servers[OURS].name else ""
        return send(server.url + query, paths, clients=clients, seconds=seconds)

    seconds = context.options.seconds
    contestants: dict[str, Callable[[], LoadResult]] = {}
    for name, server in servers.items():
        load(server, seconds / 4)
        contestants[name] = partial(load, server, seconds)
    return alternate(contestants, context.options.rounds, tell=context.teller(what))


def claims_ahead(where: str, rounds: Rounds) -> list[Claim]:
    """Return the claims against the better variant of each rival: the median over the rounds of the ratio of
    throughputs.
    """
    ours = [result.throughput for result in rounds[OURS]]
    claims = []
    for rival, variants in VARIANTS.items():
        ratios = [
            ratio_of_rounds(ours, [result.throughput for result in rounds[label]])
            for label in (f"{rival} ({variant})" for variant in variants)
            if label in rounds
        ]
        if ratios:
            claims.append(Claim(f"{where}: throughput, this service / {rival}", min(ratios), 1.0))
    return claims


def _table(title: str, results: Mapping[str, Mapping[int, LoadResult]]) -> Table:
    clients = list(next(iter(results.values())))
    rows = [
        [name, *(f"{number(one[count].throughput)} ({_percentiles(one[count])})" for count in clients)]
        for name, one in results.items()
    ]
    columns = ["photos/s (p50/p95/p99 ms)", *(f"{count}" for count in clients)]
    return Table(f"{title}, by number of clients", columns, rows)


def _percentiles(result: LoadResult) -> str:
    return "/".join(number(result.percentile_ms(percent), 2) for percent in (50, 95, 99))


def _options(parser: argparse.ArgumentParser) -> None:
    part.seconds_option(1.5)(parser)
    parser.add_argument("--clients", nargs="+", type=int, default=list(CLIENTS))
    parser.add_argument("--model", choices=models.NAMES, default=models.EMBEDDED)
    parser.add_argument(
        "--sizes", action=argparse.BooleanOptionalAction, default=True, help="other sizes of photos too"
    )


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("rivals", __doc__ or "", measure, rounds=3, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
