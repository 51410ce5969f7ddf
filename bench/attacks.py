"""Measures what callers notice of attacks, each from one other address: latency and failures of their photos, health
checks, and the server's memory.

    python -m bench.attacks [--seconds 10] [--attacks "idle connections" ...]
"""

import argparse
import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench import part, photos
from bench.attackers import ATTACKS, Target
from bench.load import percentile
from bench.memory import Sampler
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import Server, our_server

OTHER = "127.0.0.7"
_WANTED_RATIO, _WANTED_HEALTH_MS, _WANTED_MB = 3.0, 1000.0, 1500.0
_PATIENCE_S = 60.0
_OK = 200
_PAUSE_S = 0.05


@dataclass(slots=True)
class Noticed:
    """Measurements of another caller: milliseconds of each photo and of each health check, and failures."""

    photo_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    peak_mb: float = 0.0


def measure(context: Context) -> None:
    """Measure without an attack, then under each."""
    paths = photos.write_jpegs(context.folder / "photos", photos.SMALL_WH)
    photo = paths[0].read_bytes()
    found: dict[str, Noticed] = {}
    for name in ("none", *(context.options.attacks or ATTACKS)):
        context.tell(name)
        with our_server(context.folder / name.replace(" ", "-"), {}) as server:
            found[name] = _noticed(server, photo, None if name == "none" else ATTACKS[name], context.options.seconds)
    _report(context, found)


def _noticed(server: Server, photo: bytes, attack: Callable[[Target], None] | None, seconds: float) -> Noticed:
    noticed, over = Noticed(), threading.Event()
    url = urlsplit(server.url)
    target = Target(str(url.hostname), int(url.port or 0), photo, over)
    target.prepare()
    attacker = threading.Thread(target=attack, args=(target,)) if attack is not None else None
    with Sampler(server) as sampler:
        if attacker is not None:
            attacker.start()
            time.sleep(1.0)
        health = threading.Thread(target=_watch_health, args=(target, noticed))
        health.start()
        ended = time.perf_counter() + seconds
        while time.perf_counter() < ended:
            _time(target, noticed, noticed.photo_ms, "/predict?store=0", photo)
        over.set()
        health.join()
        if attacker is not None:
            attacker.join()
    noticed.peak_mb = max(value for _, value in sampler.points) / 1e6
    return noticed


def _watch_health(target: Target, noticed: Noticed) -> None:
    while not target.over.wait(_PAUSE_S):
        _time(target, noticed, noticed.health_ms, "/healthz")


def _time(target: Target, noticed: Noticed, times_ms: list[float], path: str, body: bytes | None = None) -> None:
    """Time one request on a connection of its own, as a stranger comes."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection(target.host, target.port, timeout=_PATIENCE_S, source_address=(OTHER, 0))
    try:
        connection.request("POST" if body else "GET", path, body, {"Content-Type": "image/jpeg"} if body else {})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        noticed.failures.append(f"{path}: {error!r}")
    else:
        if status != _OK:
            noticed.failures.append(f"{path}: {status}")
    finally:
        connection.close()
    times_ms.append((time.perf_counter() - started) * 1000)


def _report(context: Context, found: dict[str, Noticed]) -> None:
    quiet_ms = percentile(found["none"].photo_ms, 99)
    rows = []
    for name, noticed in found.items():
        p50_ms, p99_ms = (percentile(noticed.photo_ms, share) for share in (50, 99))
        slowest_ms = max(noticed.health_ms, default=0.0)
        rows.append(
            [name, *map(number, (p50_ms, p99_ms, slowest_ms)), str(len(noticed.failures)), number(noticed.peak_mb)]
        )
        context.report.results[name] = {
            "photos": len(noticed.photo_ms),
            "p50_ms": p50_ms,
            "p99_ms": p99_ms,
            "slowest_health_ms": slowest_ms,
            "failures": noticed.failures[:10],
            "peak_mb": noticed.peak_mb,
        }
        context.report.claims += [
            Claim(f"failures of others, {name}", len(noticed.failures), 0, at_most=True),
            Claim(
                f"p99 of others to that without an attack, {name}", p99_ms / quiet_ms, _WANTED_RATIO, " x", at_most=True
            ),
            Claim(f"slowest health check, {name}", slowest_ms, _WANTED_HEALTH_MS, " ms", at_most=True),
            Claim(f"peak of the resident set, {name}", noticed.peak_mb, _WANTED_MB, " MB", at_most=True),
        ]
    columns = ["attack", "p50, ms", "p99, ms", "slowest health check, ms", "failures", "peak, MB"]
    context.report.tables.append(Table("What another caller notices", columns, rows))


def _options(parser: argparse.ArgumentParser) -> None:
    part.seconds_option(10.0)(parser)
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), help="only these")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("attacks", __doc__ or "", measure, rounds=1, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
