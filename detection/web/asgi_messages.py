"""Helpers of the bare ASGI layers: reading requests and sending responses."""

from collections.abc import Callable, Mapping
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable

from detection.errors import error_body, headers_for
from detection.web.serializers import to_json

# Shapes an error for the clients of a path: its status and sentence in, their status and body out.
Shape = Callable[[str, int, str], tuple[int, dict[str, Any]]]
# Headers of a scope by name, since ten questions are asked of each request, and the list that they are of.
_BY_NAME = "detector.headers"
_OF_JSON = ((b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff"))


def plain_error(_path: str, status: int, sentence: str) -> tuple[int, dict[str, Any]]:
    """Return an error in the shape of this server's own API."""
    return status, error_body(sentence)


def header(scope: Any, name: bytes) -> str | None:
    """Return the first header of that (lower-case) name."""
    known = scope.get(_BY_NAME)
    # A layer that adds a header makes a new list.
    if known is None or known[0] is not scope["headers"]:
        known = scope[_BY_NAME] = (scope["headers"], dict(reversed(scope["headers"])))
    value = known[1].get(name)
    return None if value is None else str(value, "latin-1")


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
