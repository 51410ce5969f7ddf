"""Measures what callers notice of attacks, each from one other address: latency and failures of their photos, health
checks, and the server's memory; with and without the attack in turn, by ratios within a round.

    python -m bench.attacks [--seconds 5] [--rounds 3] [--attacks "idle connections" ...]
    python -m bench.attacks --access stranger login --behind-proxy
"""

import argparse
import contextlib
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urlsplit

import psutil

from bench import part, photos
from bench.alternate import ratio_of_rounds
from bench.attackers import ATTACKS, headers_of
from bench.load import percentile
from bench.memory import Sampler
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import REPOSITORY
from bench.targets import ACCESS, Attacked, attacked

OTHER = "127.0.0.7"
_WANTED_RATIO, _WANTED_HEALTH_MS, _WANTED_MB = 3.0, 1000.0, 1500.0
_PATIENCE_S = 60.0
_OK = 200
_PAUSE_S = 0.05
_HEAD_START_S = 1.0
# Made detections in the history, where the attack is to export them.
_EXPORTED = 5000
# A server that still works on what an attacker left is not what it is without an attack.
_CALM_CORES, _CALM_STEP_S, _LONGEST_CALM_S = 0.1, 0.5, 60.0


@dataclass(slots=True)
class Noticed:
    """Measurements of another caller: milliseconds of each photo and of each health check, and failures.

    cores: how many the servers and the attacker kept busy.
    """

    photo_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    servers_cores: float = 0.0
    attackers_cores: float = 0.0

    @property
    def p99_ms(self) -> float:
        """The latency that 99 of 100 photos stayed below."""
        return percentile(self.photo_ms, 99)


@dataclass(frozen=True, slots=True)
class Rounds:
    """All rounds of one attack: what was noticed without and under it, and the most memory that a server had."""

    without: Sequence[Noticed]
    under: Sequence[Noticed]
    peak_mb: float

    @property
    def failures(self) -> list[str]:
        """All failures of the other caller under the attack."""
        return [failure for noticed in self.under for failure in noticed.failures]


def measure(context: Context) -> None:
    """Measure each attack, before each kind of access."""
    for access in context.options.access:
        found: dict[str, Rounds] = {}
        for name in context.options.attacks or ATTACKS:
            context.tell(f"{access}: {name}")
            folder = context.folder / access / name.replace(" ", "-")
            folder.mkdir(parents=True)
            detections = _EXPORTED if name == "exports" else 0
            behind_proxy = context.options.behind_proxy
            with attacked(folder, access, behind_proxy=behind_proxy, detections=detections) as target:
                found[name] = _rounds(target, name, context.options)
        _report(context, access, found)


def _rounds(target: Attacked, name: str, options: argparse.Namespace) -> Rounds:
    without, under = [], []
    with ExitStack() as stack:
        samplers = [stack.enter_context(Sampler(server)) for server in target.servers]
        for _ in range(options.rounds):
            _wait_until_calm(target)
            without.append(_noticed(target, options.seconds, None))
            with _attacker(target, name) as attacker:
                time.sleep(_HEAD_START_S)
                under.append(_noticed(target, options.seconds, attacker))
    return Rounds(without, under, max(value for sampler in samplers for _, value in sampler.points) / 1e6)


@contextlib.contextmanager
def _attacker(target: Attacked, name: str) -> Iterator[psutil.Popen]:
    """Attack from a process of the lowest priority."""
    command = [sys.executable, "-m", "bench.attackers", name, target.url, "--large", target.large]
    process = psutil.Popen([*command, "--token", target.attackers_token], cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _wait_until_calm(target: Attacked) -> None:
    """Wait until the servers do nothing. Raises TimeoutError."""
    for _ in range(int(_LONGEST_CALM_S / _CALM_STEP_S)):
        before = _cpu_seconds(target)
        time.sleep(_CALM_STEP_S)
        if _cpu_seconds(target) - before < _CALM_CORES * _CALM_STEP_S:
            return
    raise TimeoutError("The servers still work on what an attacker left behind a minute ago.")


def _cpu_seconds(target: Attacked) -> float:
    return sum(server.cpu_seconds() for server in target.servers)


def _noticed(target: Attacked, seconds: float, attacker: psutil.Popen | None) -> Noticed:
    noticed, over = Noticed(), threading.Event()
    photo = photos.jpeg(photos.NAMES[0], photos.SMALL_WH)
    started, servers_s = time.perf_counter(), _cpu_seconds(target)
    attackers_s = sum(attacker.cpu_times()[:2]) if attacker else 0.0
    health = threading.Thread(target=_watch_health, args=(target, noticed, over))
    health.start()
    while time.perf_counter() < started + seconds:
        _time(target, noticed, noticed.photo_ms, "/predict?store=0", photo)
    lasted = time.perf_counter() - started
    noticed.servers_cores = (_cpu_seconds(target) - servers_s) / lasted
    noticed.attackers_cores = (sum(attacker.cpu_times()[:2]) - attackers_s) / lasted if attacker else 0.0
    over.set()
    health.join()
    return noticed


def _watch_health(target: Attacked, noticed: Noticed, over: threading.Event) -> None:
    while not over.wait(_PAUSE_S):
        _time(target, noticed, noticed.health_ms, "/healthz")


def _time(target: Attacked, noticed: Noticed, times_ms: list[float], path: str, body: bytes | None = None) -> None:
    """Time one request on a connection of its own, as a stranger comes."""
    started = time.perf_counter()
    url = urlsplit(target.url)
    connection = http.client.HTTPConnection(str(url.hostname), url.port, _PATIENCE_S, source_address=(OTHER, 0))
    try:
        headers = {"Content-Type": "image/jpeg", **headers_of(target.token)} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        noticed.failures.append(f"{path}: {error!r}")
    else:
        if status != _OK:
            noticed.failures.append(f"{path}: {status}")
    finally:
        connection.close()
    times_ms.append((time.perf_counter() - started) * 1000)


def _report(context: Context, access: str, found: dict[str, Rounds]) -> None:
    rows = []
    for name, rounds in found.items():
        without_ms, under_ms = ([one.p99_ms for one in each] for each in (rounds.without, rounds.under))
        ratio = ratio_of_rounds(under_ms, without_ms)
        slowest_ms = median(max(one.health_ms, default=0.0) for one in rounds.under)
        cores = [median(getattr(one, whose) for one in rounds.under) for whose in ("servers_cores", "attackers_cores")]
        values = (median(without_ms), median(under_ms), ratio, slowest_ms, rounds.peak_mb, *cores)
        rows.append([name, *map(number, values), str(len(rounds.failures))])
        context.report.results[f"{access}: {name}"] = {
            "p99_ms_without": without_ms,
            "p99_ms_under": under_ms,
            "p50_ms_under": [percentile(one.photo_ms, 50) for one in rounds.under],
            "ratio": ratio,
            "slowest_health_ms": [max(one.health_ms, default=0.0) for one in rounds.under],
            "failures": rounds.failures[:10],
            "photos": sum(len(one.photo_ms) for one in rounds.under),
            "peak_mb": rounds.peak_mb,
        }
        about = f"{access}, {name}"
        context.report.claims += [
            Claim(f"failures of others: {about}", len(rounds.failures), 0, at_most=True),
            Claim(f"p99 of others to that without an attack: {about}", ratio, _WANTED_RATIO, " x", at_most=True),
            Claim(f"slowest health check: {about}", slowest_ms, _WANTED_HEALTH_MS, " ms", at_most=True),
            Claim(f"peak of the resident set: {about}", rounds.peak_mb, _WANTED_MB, " MB", at_most=True),
        ]
    columns = ["attack", "p99 without, ms", "p99, ms", "ratio", "slowest health check, ms", "peak, MB"]
    columns += ["servers' cores", "attacker's cores", "failures"]
    context.report.tables.append(Table(f"What another caller notices ({access})", columns, rows))


def _options(parser: argparse.ArgumentParser) -> None:
    part.seconds_option(5.0)(parser)
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), help="only these")
    access = "open: no login; stranger: one is needed, and the attacker has none; login: the attacker has one, too"
    parser.add_argument("--access", nargs="+", choices=ACCESS, default=["open"], help=access)
    parser.add_argument("--behind-proxy", action="store_true", help="two servers behind deploy/nginx.conf")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("attacks", __doc__ or "", measure, rounds=3, add_options=_options, arguments=arguments)


if __name__ == "__main__":
    main()
