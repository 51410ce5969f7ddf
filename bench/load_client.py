"""Client process that sends the load: keep-alive connections, each with one photo in flight (a closed loop).

It shares the cores with the measured server, so it does next to nothing: bytes are prepared before the clock
starts, one write and one read a request, no HTTP library. Only Python's standard library is imported, and uvloop if
installed. Every JPEG is sent with another comment in it, since a server may store equal photos once.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, urlsplit

_JPEG_START = b"\xff\xd8"
# A comment of 16 bytes (its length counts itself): ITU-T T.81, B.2.4.5.
_COMMENT = b"\xff\xfe\x00\x12"
_PNG_START = b"\x89PNG"
# Statuses of requests that got no answer.
CONNECTION_LOST = 0
HUNG = -1


@dataclass(frozen=True, slots=True)
class Message:
    """Prepared request; a serial number goes between the parts when `numbered`."""

    before: bytes
    after: bytes
    numbered: bool


@dataclass(slots=True)
class Tally:
    """Counts of responses: latencies in milliseconds of those with 200, and all statuses.

    lasted_s: from the start to the last response with 200. No request is sent after the end of the load, but those in
    flight are completed and count.
    """

    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    timings: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    lasted_s: float = 0.0


def message(url: SplitResult, photo: bytes) -> Message:
    """Build a POST of a photo with the headers of its kind."""
    numbered = photo.startswith(_JPEG_START)
    length = len(photo) + (len(_COMMENT) + 16 if numbered else 0)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Content-Type: image/{'png' if photo.startswith(_PNG_START) else 'jpeg'}\r\nContent-Length: {length}\r\n\r\n"
    ).encode("ascii")
    if not numbered:
        return Message(head, photo, numbered=False)
    start = len(_JPEG_START)
    return Message(head + photo[:start] + _COMMENT, photo[start:], numbered=True)


class Load:
    """Load until `seconds` are over or `requests` are sent, whichever is first, with its counts."""

    def __init__(self, messages: Sequence[Message], *, seconds: float, requests: int | None = None) -> None:
        self.tally = Tally()
        self.seconds = seconds
        self._messages = messages
        self._requests = requests
        self._turn = count()
        self._serial = count(secrets.randbits(48) << 16)
        self._started = 0.0
        self._deadline = float("inf")

    def start(self) -> None:
        """Start the clock."""
        self._started = time.perf_counter()
        self._deadline = self._started + self.seconds

    def next_parts(self) -> list[bytes] | None:
        """Return the bytes of the next request; None when there is none."""
        turn = next(self._turn)
        if time.perf_counter() >= self._deadline or (self._requests is not None and turn >= self._requests):
            return None
        chosen = self._messages[turn % len(self._messages)]
        if not chosen.numbered:
            return [chosen.before, chosen.after]
        return [chosen.before, b"%016x" % (next(self._serial) % (1 << 64)), chosen.after]

    def answered(self, status: int, sent: float, timing: str | None = None) -> None:
        """Count the response to a request sent at `sent`."""
        now = time.perf_counter()
        latency_ms = (now - sent) * 1000.0
        self.tally.slowest_ms = max(self.tally.slowest_ms, latency_ms)
        self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
        if status == 200:
            self.tally.lasted_s = now - self._started
            self.tally.latencies_ms.append(latency_ms)
        if timing is not None:
            self.tally.timings.append(timing)


class Connection(asyncio.Protocol):
    """One caller, which sends, receives the response, and sends the next."""

    def __init__(self, load: Load, ended: "asyncio.Future[bool]") -> None:
        self._load = load
        self._ended = ended
        self._received = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._send_next(self._transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received = self._received + data if self._received else data
        answer = parse_answer(self._received)
        if answer is not None and self._transport is not None:
            self._received = b""
            self._load.answered(answer.status, self._sent, answer.timing)
            self._send_next(self._transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if not self._ended.done():
            self._load.answered(CONNECTION_LOST, self._sent)
            self._ended.set_result(False)

    def _send_next(self, transport: asyncio.Transport) -> None:
        parts = self._load.next_parts()
        if parts is None:
            self._ended.set_result(True)
            transport.close()
            return
        self._sent = time.perf_counter()
        transport.writelines(parts)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Parsed parts of a response."""

    status: int
    timing: str | None


def parse_answer(received: bytes) -> HttpAnswer | None:
    """Parse a complete response with a Content-Length; None while bytes are missing. Raises ValueError without a
    length.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[:end]
    lowered = head.lower()
    length = _field(lowered, b"content-length")
    if length is None:
        raise ValueError(f"the server answered without Content-Length: {head!r}")
    if len(received) < end + 4 + int(length):
        return None
    return HttpAnswer(int(head[9:12]), _field(lowered, b"server-timing"))


def _field(lowered_head: bytes, name: bytes) -> str | None:
    start = lowered_head.find(b"\r\n" + name + b":")
    if start < 0:
        return None
    return lowered_head[start + len(name) + 3 :].split(b"\r\n", 1)[0].strip().decode("latin-1")


async def send_load(url: SplitResult, load: Load, clients: int, *, patience_s: float) -> Tally:
    """Run the load; callers without a response `patience_s` seconds after its end count as hung."""
    load.start()
    callers = [asyncio.ensure_future(_call(url, load)) for _ in range(clients)]
    _, hung = await asyncio.wait(callers, timeout=load.seconds + patience_s)
    for caller in hung:
        caller.cancel()
    load.tally.statuses[HUNG] = len(hung)
    return load.tally


async def _call(url: SplitResult, load: Load) -> None:
    """Run one caller: opens a new connection when the server has closed the last one."""
    loop = asyncio.get_running_loop()
    while True:
        ended: asyncio.Future[bool] = loop.create_future()
        try:
            await loop.create_connection(partial(Connection, load, ended), url.hostname or "127.0.0.1", url.port or 80)
        except OSError:
            load.answered(CONNECTION_LOST, time.perf_counter())
            return
        if await ended:
            return


def main(arguments: Sequence[str]) -> None:
    """Run the load that the arguments describe and print the tally as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_client", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--patience", type=float, default=60.0)
    chosen = parser.parse_args(arguments)
    url = urlsplit(chosen.url)
    messages = [message(url, path.read_bytes()) for path in chosen.photos]
    load = Load(messages, seconds=chosen.seconds, requests=chosen.requests)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        tally = runner.run(send_load(url, load, chosen.clients, patience_s=chosen.patience))
    json.dump(asdict(tally), sys.stdout)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main(sys.argv[1:])
