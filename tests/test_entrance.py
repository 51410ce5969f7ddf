"""The first layer: nothing larger than the limit gets in, and forms in chunks get their length."""

import asyncio
from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from detection.asgi_responses import header
from detection.entrance import BodyLimit, KnownLength, read_body
from tests.asgi_calls import Answered, Headers, body_events, call, http_scope

LIMIT = 1000
SENTENCE = "The body is too large: at most 1,000 bytes are accepted. Send a smaller photo."


class Echo:
    """Answers the length of the body, and remembers what reached it."""

    def __init__(self, *, answers_first: bool = False) -> None:
        self._answers_first = answers_first
        self.lengths: list[str | None] = []
        self.bodies: list[bytes | None] = []
        self.scopes: list[str] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] != "http":
            return
        self.lengths.append(header(scope, b"content-length"))
        if self._answers_first:
            await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        self.bodies.append(await read_body(receive))
        if not self._answers_first:
            await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"read", "more_body": False})


def post(app: Any, headers: Headers, *parts: bytes, leaves: bool = False) -> Answered:
    events = body_events(*parts)
    if leaves:
        events[-1]["more_body"] = True
    return asyncio.run(call(app, http_scope("/predict", headers), events, leaves=leaves))


@pytest.mark.parametrize("length", [0, 1, LIMIT - 1, LIMIT])
def test_body_up_to_the_limit_gets_in(length: int) -> None:
    echo = Echo()
    answered = post(BodyLimit(echo, LIMIT), [("Content-Length", str(length))], b"x" * length)
    assert (answered.status, answered.body) == (200, b"read")
    assert echo.bodies == [b"x" * length]


@pytest.mark.parametrize("length", [LIMIT + 1, 10**12])
def test_declared_body_above_the_limit_is_refused_unread(length: int) -> None:
    echo = Echo()
    answered = post(BodyLimit(echo, LIMIT), [("Content-Length", str(length))], b"x")
    assert (answered.status, answered.json, answered.received) == (413, {"error": SENTENCE}, 0)
    assert answered.headers["content-type"] == "application/json"
    assert echo.scopes == []


def test_chunked_body_is_refused_where_it_passes_the_limit() -> None:
    echo = Echo()
    parts = [b"x" * 600] * 5
    answered = post(BodyLimit(echo, LIMIT), [("Transfer-Encoding", "chunked")], *parts)
    assert (answered.status, answered.json, answered.received) == (413, {"error": SENTENCE}, 2)
    assert echo.bodies == []


def test_chunked_body_up_to_the_limit_gets_in() -> None:
    echo = Echo()
    answered = post(BodyLimit(echo, LIMIT), [("Transfer-Encoding", "chunked")], b"x" * 600, b"x" * 400)
    assert answered.status == 200
    assert echo.bodies == [b"x" * LIMIT]


def test_answer_that_has_begun_is_not_followed_by_a_second() -> None:
    answered = post(BodyLimit(Echo(answers_first=True), LIMIT), [], b"x" * 600, b"x" * 600)
    assert (answered.status, answered.body) == (200, b"")


def test_what_is_no_request_passes() -> None:
    echo = Echo()
    for kind in ("lifespan", "websocket"):
        asyncio.run(call(BodyLimit(KnownLength(echo), LIMIT), {"type": kind}))
    assert echo.scopes == ["lifespan", "websocket"]


def test_chunked_body_gets_its_length() -> None:
    echo = Echo()
    answered = post(KnownLength(echo), [("Transfer-Encoding", "chunked")], b"ab", b"", b"cde")
    assert answered.status == 200
    assert echo.bodies == [b"abcde"]
    assert echo.lengths == ["5"]


def test_body_of_known_length_passes_in_its_parts() -> None:
    echo = Echo()
    post(KnownLength(echo), [("Content-Length", "3")], b"ab", b"c")
    assert echo.bodies == [b"abc"]
    assert echo.lengths == ["3"]


def test_caller_who_leaves_within_a_chunked_body_is_not_answered() -> None:
    echo = Echo()
    answered = post(KnownLength(echo), [("Transfer-Encoding", "chunked")], b"ab", leaves=True)
    assert (answered.status, echo.scopes) == (0, [])


def test_caller_who_leaves_after_a_chunked_body_is_noticed_behind_it() -> None:
    seen: list[str] = []

    async def app(_scope: Any, receive: ASGIReceiveCallable, _send: Any) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"]])

    scope = http_scope("/", [("Transfer-Encoding", "chunked")])
    asyncio.run(call(KnownLength(app), scope, body_events(b"ab"), leaves=True))
    assert seen == ["http.request", "http.disconnect"]
