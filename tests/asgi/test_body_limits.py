"""The first layer: nothing larger than the limit gets in, and forms in chunks get their length."""

import asyncio
from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from detection.asgi.body_limits import BodyLimit, KnownLength
from detection.asgi.memory_budget import MemoryBudget, Share
from detection.errors import MemoryBudgetError
from detection.web.asgi_messages import header, read_body
from tests.support.asgi_calls import Answered, Headers, body_events, call, http_scope

LIMIT = 1000
SENTENCE = "The body is too large: at most 1,000 bytes are accepted. Send a smaller photo."

FULL = "The server is busy: the photos on their way fill its memory. Send this one again in a moment."


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


def with_budget(limit_bytes: int, app: Any) -> tuple[MemoryBudget, BodyLimit]:
    budget = MemoryBudget(limit_bytes)
    return budget, BodyLimit(app, LIMIT, budget=budget)


def hold(budget: MemoryBudget, count: int) -> Share:
    """What other callers hold."""
    share = budget.share()
    share.hold(count)
    return share


@pytest.mark.parametrize(
    ("headers", "received"),
    [
        pytest.param([("Content-Length", "600")], 0, id="declared: refused unread"),
        pytest.param([("Transfer-Encoding", "chunked")], 2, id="in chunks: refused where the room ends"),
    ],
)
def test_body_that_all_bodies_leave_no_room_for_is_told_to_come_later(headers: Headers, received: int) -> None:
    echo = Echo()
    budget, app = with_budget(1500, echo)
    others = hold(budget, 1000)
    answered = post(app, headers, b"x" * 400, b"x" * 200)
    assert (answered.status, answered.json, answered.received) == (503, {"error": FULL}, received)
    assert answered.headers["retry-after"] == "1"
    assert answered.headers["connection"] == "close"
    assert (echo.bodies, budget.held_bytes) == ([], 1000)
    others.hold(0)
    assert post(app, headers, b"x" * 400, b"x" * 200).status == 200
    assert budget.held_bytes == 0


def test_body_that_was_announced_smaller_than_it_is_counts_as_it_is() -> None:
    budget, app = with_budget(500, Echo())
    assert post(app, [("Content-Length", "10")], b"x" * 501).status == 503
    assert budget.held_bytes == 0


def test_request_without_a_body_is_answered_when_no_room_is_left() -> None:
    budget, app = with_budget(500, Echo())
    hold(budget, 500)
    assert post(app, [("Content-Length", "0")], b"").status == 200


def test_body_counts_until_its_request_is_answered() -> None:
    held: list[int] = []

    async def app(_scope: Any, receive: ASGIReceiveCallable, _send: Any) -> None:
        for _ in range(2):
            await receive()
            held.append(budget.held_bytes)

    budget, limited = with_budget(1000, app)
    post(limited, [], b"x" * 300, b"x" * 400)
    assert (held, budget.held_bytes) == ([300, 700], 0)


class BrokenError(Exception):
    """What an application may end in."""


async def breaks(_scope: Any, receive: ASGIReceiveCallable, _send: Any) -> None:
    await receive()
    raise BrokenError


async def waits(_scope: Any, receive: ASGIReceiveCallable, _send: Any) -> None:
    await receive()
    await asyncio.Event().wait()


def leaving(app: Any) -> None:
    post(app, [("Transfer-Encoding", "chunked")], b"x" * 300, leaves=True)


def too_slow(app: Any) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 300, "more_body": True}

    async def run() -> None:
        await asyncio.wait_for(app(http_scope("/predict", []), receive, call), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def breaking(app: Any) -> None:
    with pytest.raises(BrokenError):
        post(app, [], b"x" * 300)


@pytest.mark.parametrize(
    ("inner", "happens"),
    [
        pytest.param(KnownLength(Echo()), leaving, id="the caller leaves"),
        pytest.param(breaks, breaking, id="the application fails"),
        pytest.param(waits, too_slow, id="the request is cancelled"),
    ],
)
def test_body_is_let_go_on_every_way_out(inner: Any, happens: Any) -> None:
    budget, app = with_budget(1000, inner)
    happens(app)
    assert budget.held_bytes == 0


def test_share_that_finds_no_room_holds_what_it_held() -> None:
    budget = MemoryBudget(100)
    share = hold(budget, 60)
    with pytest.raises(MemoryBudgetError):
        share.hold(101)
    assert (share.held_bytes, budget.held_bytes) == (60, 60)
    share.hold(10)
    assert budget.held_bytes == 10


@pytest.mark.parametrize(("origin", "status"), [("https://front.example.net", 200), ("https://evil.example", 403)])
def test_page_of_another_site_may_send_where_the_operator_trusts_it(origin: str, status: int) -> None:
    headers = [("Content-Length", "1"), ("Sec-Fetch-Site", "cross-site"), ("Origin", origin)]
    answered = post(BodyLimit(Echo(), LIMIT, trusted_origins=["https://front.example.net"]), headers, b"x")
    assert answered.status == status


async def streams(_scope: Scope, _receive: ASGIReceiveCallable, send: Any) -> None:
    """Answers as Django's streams do: the last event has neither a body nor says that it is the last."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a part", "more_body": True})
    await send({"type": "http.response.body"})


def test_stream_ends_with_an_event_without_a_body() -> None:
    _, app = with_budget(1000, streams)
    assert post(app, [], b"x").status == 200
