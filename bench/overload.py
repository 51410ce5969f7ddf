"""Measures overload, with more callers than the queue has places: refusals are immediate, nothing hangs, and it
recovers.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from bench import models, part, photos
from bench.load import LoadResult, percentile, send
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, our_server

CLIENTS = 64
QUEUE_SIZE = 16
_ACCEPTED = {200, 503}
_WANTED_NORMAL_S = 1.0
_ATTEMPTS = 100


def measure(context: Context) -> None:
    """Measure callers that retry at once after a refusal, against its `Retry-After`."""
    paths = photos.write_jpegs(context.folder / "photos", photos.SMALL_WH)
    settings = {**models.model(models.EMBEDDED, context.folder).environment, "QUEUE_SIZE": str(QUEUE_SIZE)}
    with our_server(context.folder, settings) as server:
        quiet = send(server.url, paths, clients=1, seconds=context.options.seconds)
        for _ in range(context.options.rounds):
            context.tell(f"{CLIENTS} clients")
            loaded = send(server.url, paths, clients=CLIENTS, seconds=context.options.seconds, patience_s=10.0)
            _report(context, quiet, loaded, _seconds_until_normal(server, paths, quiet))


def _seconds_until_normal(server: Server, paths: Sequence[Path], quiet: LoadResult) -> float:
    """Return the time from the end of the load until a lone caller's latency is normal (within its p99, or twice its
    p50).
    """
    fast_ms = max(quiet.percentile_ms(99), 2 * quiet.percentile_ms(50))
    ended = time.perf_counter()
    for _ in range(_ATTEMPTS):
        # Of five photos, for a starting process takes cores from the server at first.
        again = send(server.url, paths, clients=1, requests=5, patience_s=10.0)
        if not again.failures and percentile(again.latencies_ms, 50) <= fast_ms:
            return time.perf_counter() - ended
    return float("inf")


def _report(context: Context, quiet: LoadResult, loaded: LoadResult, normal_s: float) -> None:
    wrong = sum(number for status, number in loaded.statuses.items() if status not in _ACCEPTED)
    rows = [
        ["answered 200", str(loaded.statuses.get(200, 0))],
        ["refused with 503", str(loaded.statuses.get(503, 0))],
        ["anything else, hung or lost", str(wrong)],
        ["p50 before, ms", number(quiet.percentile_ms(50))],
        ["p50 of the answered, ms", number(loaded.percentile_ms(50))],
        ["slowest, ms", number(loaded.slowest_ms)],
        ["seconds until normal", number(normal_s)],
    ]
    context.report.tables.append(Table(f"{CLIENTS} clients, a queue of {QUEUE_SIZE}", ["", ""], rows))
    context.report.results.setdefault("rounds", []).append(loaded.summary() | {"seconds_until_normal": normal_s})
    context.report.claims += [
        Claim("answers that are neither 200 nor 503, hung or lost", wrong, 0, at_most=True),
        Claim("photos answered 200 in spite of the load", loaded.statuses.get(200, 0), 1),
        Claim("back to normal after", normal_s, _WANTED_NORMAL_S, " s", at_most=True),
    ]


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run(
        "overload", __doc__ or "", measure, rounds=1, add_options=part.seconds_option(5.0), arguments=arguments
    )


if __name__ == "__main__":
    main()
