"""Calls ASGI applications without a server, with given events, and keeps their response."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgiref.typing import ASGI3Application

Headers = Sequence[tuple[str, str]]


@dataclass
class Answered:
    """Response of an application, and the number of body events it has received."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    received: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def http_scope(path: str, headers: Headers, method: str = "POST", query: str = "") -> Any:
    """Return the scope of a request, as a server makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }


def body_events(*parts: bytes) -> list[dict[str, Any]]:
    """Return the events of a body in parts."""
    last = len(parts) - 1
    return [
        {"type": "http.request", "body": part, "more_body": number < last} for number, part in enumerate(parts or [b""])
    ]


async def call(
    app: ASGI3Application, scope: Any, events: Iterable[dict[str, Any]] = (), *, leaves: bool = False
) -> Answered:
    """Call an application.

    leaves: whether the caller disconnects after the events; otherwise it waits for the response.
    """
    answered, waiting, gone = Answered(), list(events), asyncio.Event()

    async def receive() -> Any:
        if waiting:
            answered.received += 1
            return waiting.pop(0)
        if not leaves:
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            answered.status = event["status"]
            answered.headers = {name.decode(): value.decode("latin-1") for name, value in event["headers"]}
        else:
            answered.body += event.get("body", b"")

    await app(scope, receive, send)
    return answered
