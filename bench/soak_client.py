"""Visits a server in ways of each kind for a soak test, and tells times and errors."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

WAIT_S = 60.0
_OK, _CREATED, _NO_CONTENT, _BAD, _GONE = 200, 201, 204, 400, 404
_JPEG = {"Content-Type": "image/jpeg"}
_PAGES = (
    "/",
    "/history/",
    "/history/?class=cat",
    "/batches/",
    "/api/detections/?page_size=20",
    "/api/models",
    "/metrics",
)
_EXPORT = "/api/export?format=jsonl&class=cat"
_MOST_ERRORS_KEPT = 100


class WrongAnswerError(Exception):
    """The server's answer is wrong."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Visit: its end, in seconds since the start, and its duration."""

    kind: str
    ended_s: float
    latency_ms: float


@dataclass(slots=True)
class Diary:
    """Log of all callers' visits so far."""

    started: float = field(default_factory=time.perf_counter)
    visits: list[Visit] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, began: float) -> None:
        ended = time.perf_counter()
        with self._lock:
            self.visits.append(Visit(kind, ended - self.started, (ended - began) * 1000))

    def complain(self, kind: str, error: Exception) -> None:
        with self._lock:
            self.failed += 1
            if len(self.errors) < _MOST_ERRORS_KEPT:
                self.errors.append(f"{kind} after {time.perf_counter() - self.started:.0f} s: {error!r}")


class Caller:
    """Caller with a connection of its own, which alternates between the requests of a page and of a program."""

    def __init__(self, address: str, photos: Sequence[bytes], first: int) -> None:
        self._client = httpx.Client(base_url=address, timeout=WAIT_S, trust_env=False)
        self._sockets = address.replace("http:", "ws:")
        self._photos = itertools.islice(itertools.cycle(photos), first, None)
        self._pages = itertools.islice(itertools.cycle(_PAGES), first, None)
        self._last = ""

    def kinds(self) -> dict[str, Callable[[], object]]:
        """Return each kind of visit; a call raises WrongAnswerError, httpx.HTTPError, OSError or WebSocketException."""
        return {
            "predict": self.predict,
            "predict, not kept": lambda: self._got(self._send("/predict?store=0"), _OK),
            "form": self.form,
            "page": lambda: self._got(self._client.get(next(self._pages)), _OK),
            "detection": self.detection,
            "bad photo": self.bad_photo,
            "socket": lambda: self.socket("/ws/predict?store=0"),
            "live": lambda: self.socket("/ws/live"),
            "batch": self.batch,
            "export": lambda: self._got(self._client.get(_EXPORT), _OK),
            "delete": self.delete,
        }

    def close(self) -> None:
        self._client.close()

    def predict(self) -> None:
        self._last = self._got(self._send("/predict"), _OK).headers["X-Detection-Id"]

    def form(self) -> None:
        self._got(self._client.post("/api/predict", files={"image": ("photo.jpg", next(self._photos))}), _OK)

    def detection(self) -> None:
        """Visit a detection's JSON, its pictures and its page; retention may have deleted it meanwhile."""
        for path in (
            f"/api/detections/{self._last}/",
            f"/api/detections/{self._last}/annotated",
            f"/detections/{self._last}/",
        ):
            self._got(self._client.get(path), _OK, _GONE)

    def bad_photo(self) -> None:
        half = next(self._photos)
        self._got(self._client.post("/predict", content=half[: len(half) // 2], headers=_JPEG), _BAD)

    def socket(self, path: str) -> None:
        with connect(self._sockets + path, open_timeout=WAIT_S, proxy=None, compression=None) as opened:
            for _ in range(3):
                opened.send(next(self._photos))
                self._told(opened, "prediction")

    def batch(self) -> None:
        """Send three photos as a batch, and receive its notifications."""
        listed = [{"name": f"{number}.jpg", "size_bytes": 1} for number in range(3)]
        made = self._got(self._client.post("/api/batches/", json={"name": "soak", "photos": listed}), _CREATED).json()
        with connect(f"{self._sockets}/ws/batches/{made['id']}", open_timeout=WAIT_S, proxy=None) as news:
            for position in range(len(listed)):
                self._got(self._send(f"/api/batches/{made['id']}/photos/{position}"), _OK)
            while self._told(news, "state")["state"] != "done":
                pass
        totals = self._got(self._client.get(f"/api/batches/{made['id']}/"), _OK).json()["totals"]
        if totals["done"] != len(listed):
            raise WrongAnswerError(f"a batch of {len(listed)} has {totals}")

    def delete(self) -> None:
        self._got(self._client.delete(f"/api/detections/{self._last}/"), _NO_CONTENT, _GONE)

    def _send(self, path: str) -> httpx.Response:
        return self._client.post(path, content=next(self._photos), headers=_JPEG)

    def _got(self, answer: httpx.Response, *statuses: int) -> httpx.Response:
        if answer.status_code not in statuses:
            raise WrongAnswerError(
                f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text[:200]}"
            )
        return answer

    def _told(self, opened: ClientConnection, key: str) -> dict[str, object]:
        told: dict[str, object] = json.loads(opened.recv(WAIT_S))
        if key not in told:
            raise WrongAnswerError(f"a socket told {told}")
        return told


def visit_until(address: str, photos: Sequence[Path], first: int, seconds: float, diary: Diary) -> None:
    """Run one caller until the time is over."""
    caller = Caller(address, [path.read_bytes() for path in photos], first)
    kinds = caller.kinds()
    for kind in itertools.cycle(kinds):
        began = time.perf_counter()
        if began - diary.started >= seconds:
            break
        try:
            kinds[kind]()
        except (WrongAnswerError, httpx.HTTPError, OSError, WebSocketException, ValueError, KeyError) as error:
            diary.complain(kind, error)
        else:
            diary.note(kind, began)
    caller.close()
