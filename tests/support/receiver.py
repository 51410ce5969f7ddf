"""Receiver of webhooks for the tests: a real HTTP server that answers as it is told, and keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import serving


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its headers by lower-case name, and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Plan of the server. statuses: of the next answers, then `status`. drip_s: between the bytes of an answer.
    endless: the body never ends.
    """

    url: str = ""
    status: int = 204
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    drip_s: float = 0.0
    endless: bool = False
    messages: list[Message] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, count: int, timeout_s: float = 60) -> None:
        """Wait until so many messages have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, timeout_s), self.messages


@contextmanager
def receiver(**plan: Any) -> Iterator[Receiver]:
    """Serve on the loopback interface until the block ends."""
    made = Receiver(**plan)
    with serving(_handler(made), end=made.ended.set) as url:
        made.url = f"{url}/hook"
        yield made


def _handler(plan: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with plan.changed:
                plan.messages.append(Message(self.path, headers, body))
                status = plan.statuses.pop(0) if plan.statuses else plan.status
                plan.changed.notify_all()
            with suppress(OSError):
                self._answer(status)

        def _answer(self, status: int) -> None:
            head = f"HTTP/1.0 {status} Said\r\n"
            if plan.location:
                head += f"Location: {plan.location}\r\n"
            for each in (head + "\r\n").encode() if plan.drip_s else ():
                self.wfile.write(bytes([each]))
                if plan.ended.wait(plan.drip_s):
                    return
            if not plan.drip_s:
                self.wfile.write((head + "\r\n").encode())
            end_s = time.monotonic() + 60
            while plan.endless and not plan.ended.is_set() and time.monotonic() < end_s:
                self.wfile.write(b"x" * 65_536)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    return Handler
