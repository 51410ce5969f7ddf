"""ASGI middleware for clients that send their key as `api_key`, in the query, a form or JSON, not in a header."""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_plus

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, Scope

from detection.web.asgi_messages import header

# Clients write the key before the photo. What comes later than this is not looked for.
_LOOK_INTO_BYTES = 4096
_KEY = rb"([0-9A-Za-z]{1,200})"
_IN_QUERY = re.compile(rb"(?:^|&)api_key=([^&]*)")
_IN_JSON = re.compile(rb'"api_key"\s*:\s*"' + _KEY + rb'"')
_IN_FORM = re.compile(rb'name="?api_key"?\r\n(?:[^\r\n]+\r\n)*\r\n' + _KEY + rb"\r\n")


class ApiKeys:
    """ASGI middleware that makes `Authorization: Bearer KEY` of an `api_key`, or of the password of basic
    authentication, for addresses below `prefixes`.

    So access is settled before the photo is read, by the same code as everywhere. The query loses its key, so that no
    log keeps it. is_needed: whether this server asks for keys; else bodies are not looked into. The key of a body has
    to be among its first 4,096 bytes.
    """

    def __init__(
        self, app: ASGI3Application, prefixes: Iterable[str], timeout_s: float, is_needed: Callable[[], bool]
    ) -> None:
        self._app = app
        self._prefixes = tuple(prefixes)
        self._timeout_s = timeout_s
        self._is_needed = is_needed

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._prefixes):
            key = _take_from_query(scope)
            if key is None and self._is_needed() and header(scope, b"authorization") is None:
                receive, start = await self._looked_into(receive)
                key = _key_of_body(start)
            if key is None:
                key = _key_of_basic(header(scope, b"authorization") or "")
                scope = scope if key is None else {**scope, "headers": _without_authorization(scope)}
            if key is not None and header(scope, b"authorization") is None:
                scope = {**scope, "headers": [*scope["headers"], (b"authorization", b"Bearer " + key)]}
        await self._app(scope, receive, send)

    async def _looked_into(self, receive: ASGIReceiveCallable) -> tuple[ASGIReceiveCallable, bytes]:
        """Return a `receive` with all events, and the start of the body."""
        events: list[ASGIReceiveEvent] = []
        start = b""
        try:
            async with asyncio.timeout(self._timeout_s):
                while len(start) < _LOOK_INTO_BYTES:
                    events.append(await receive())
                    if events[-1]["type"] != "http.request":
                        break
                    start += events[-1]["body"][:_LOOK_INTO_BYTES]
                    if not events[-1]["more_body"]:
                        break
        except TimeoutError:
            pass  # the limits of the body answer that, below

        async def receive_again() -> ASGIReceiveEvent:
            return events.pop(0) if events else await receive()

        return receive_again, start


def _take_from_query(scope: Any) -> bytes | None:
    """Return the key of the query and remove it there, in the scope of the server, which logs it."""
    query = scope["query_string"]
    found = _IN_QUERY.search(query)
    if found is None:
        return None
    scope["query_string"] = _IN_QUERY.sub(b"", query).lstrip(b"&")
    key = unquote_plus(found[1].decode("latin-1")).strip()
    return key.encode("latin-1") if key.isascii() and key.isalnum() else None


def _key_of_basic(value: str) -> bytes | None:
    """Return the password of HTTP's basic authentication (RFC 7617), for clients that know no other."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        password = base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None
    return password if password.isalnum() else None


def _without_authorization(scope: Any) -> list[tuple[bytes, bytes]]:
    return [pair for pair in scope["headers"] if pair[0] != b"authorization"]


def _key_of_body(start: bytes) -> bytes | None:
    found = _IN_JSON.search(start) or _IN_FORM.search(start)
    return None if found is None else found[1]
