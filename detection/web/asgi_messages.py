"""Helpers of the bare ASGI layers: reading requests and sending responses."""

from collections.abc import Mapping
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable

from detection.errors import headers_for
from detection.web.serializers import to_json

_OF_JSON = ((b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff"))


def header(scope: Any, name: bytes) -> str | None:
    """Return the first header of that (lower-case) name."""
    # A loop, because a generator costs twice as much, ten times in each request.
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def address_of(scope: Any) -> str:
    """Return the address of the caller, "" where it is unknown (a Unix socket)."""
    return str(scope["client"][0]) if scope.get("client") else ""


async def send_json(
    send: ASGISendCallable, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    """Send a complete JSON response with the headers that its status needs, and more."""
    content = to_json(body)
    more = {**headers_for(status), **(headers or {})}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                *_OF_JSON,
                (b"content-length", b"%d" % len(content)),
                *[(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in more.items()],
            ],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": content, "more_body": False})


async def read_body(receive: ASGIReceiveCallable) -> bytes | None:
    """Return the whole body; None when the caller disconnected before its end."""
    parts = []
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        parts.append(event["body"])
        if not event["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)
