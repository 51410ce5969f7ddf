"""No caller takes everything: connections, requests at the same time, bodies; and probes are always answered."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from detection.asgi.connections import Connections
from detection.asgi.memory_budget import MemoryBudget
from detection.errors import MemoryBudgetError
from tests.support.hostile import ATTACKER, OTHER, all_of, connected, until
from tests.support.serving import Server, running_server

JPEG = {"Content-Type": "image/jpeg"}
PLACES = 12
MAX_BODY_BYTES = 400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("shares")),
        "MAX_CONNECTIONS": str(PLACES),
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "BODY_BUDGET_BYTES": str(4 * MAX_BODY_BYTES),
    }
    with running_server(settings) as running:
        yield running


@contextlib.contextmanager
def client(source: str = OTHER) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=30) as opened:
        yield opened


def head(length: int, path: str = "/predict?store=0", more: str = "") -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n"
    return f"{lines}{more}\r\n".encode()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["none", "line", "kept"]
)
def test_idle_connections_of_one_caller_give_way(begun: bytes, server: Server, chelsea: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * PLACES):
            stack.enter_context(connected(server, ATTACKER)).sendall(begun)
        for source in (OTHER, ATTACKER):
            with client(source) as caller:
                assert caller.get(f"{server.url}/healthz").status_code == 200
                answer = caller.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG)
                assert answer.status_code == 200


def test_requests_of_one_caller_leave_places_for_others(server: Server, chelsea: bytes) -> None:
    """Bodies that do not come: each is a request that is being answered."""
    with contextlib.ExitStack() as stack, client() as other:
        held = [stack.enter_context(connected(server, ATTACKER)) for _ in range(PLACES + 4)]
        for opened in held:
            opened.sendall(head(1000))
        for _ in range(5):
            assert other.get(f"{server.url}/healthz").status_code == 200
            assert other.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG).status_code == 200
        with connected(server, ATTACKER) as opened:
            opened.sendall(head(1000))
            refused, _, body = all_of(opened).partition(b"\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in refused + b"\r\n"
        assert json.loads(body)["error"].startswith("The server is busy")
        with client(ATTACKER) as attacker:
            assert attacker.get(f"{server.url}/readyz").status_code == 200


def test_sockets_of_one_caller_leave_places_for_others(server: Server, chelsea: bytes) -> None:
    url = server.url.replace("http:", "ws:") + "/ws/live"
    with contextlib.ExitStack() as stack, client() as other:
        taken = 0
        for _ in range(PLACES):
            with contextlib.suppress(Exception):
                stack.enter_context(connect(url, source_address=(ATTACKER, 0), proxy=None))
                taken += 1
        assert 0 < taken < PLACES
        assert other.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG).status_code == 200
    with client(ATTACKER) as attacker:
        assert until(
            lambda: attacker.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG).status_code == 200
        )


def test_bodies_of_one_caller_leave_room_for_others(server: Server, chelsea: bytes) -> None:
    with contextlib.ExitStack() as stack, client() as other:
        for _ in range(6):
            opened = stack.enter_context(connected(server, ATTACKER))
            opened.sendall(head(MAX_BODY_BYTES))
            with contextlib.suppress(OSError):
                opened.sendall(b"x" * (MAX_BODY_BYTES - 1))
        for _ in range(5):
            assert other.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG).status_code == 200


def test_share_of_bytes_follows_what_is_free() -> None:
    budget = MemoryBudget(1000)
    shares = [budget.share("greedy") for _ in range(10)]
    for share in shares[:6]:
        share.hold(100)
    with pytest.raises(MemoryBudgetError):
        shares[6].hold(100)
    assert budget.held_bytes == 600
    other = budget.share("other")
    other.hold(400)
    with pytest.raises(MemoryBudgetError):
        budget.share("third").hold(1)
    for share in (*shares, other):
        share.hold(0)
    assert budget.held_bytes == 0
    alone = budget.share("greedy")
    alone.hold(1000)


class _Place:
    """A connection of the table's tests."""

    def __init__(self, *, is_idle: bool = True) -> None:
        self.is_idle = is_idle
        self.is_aborted = False

    def check_deadline(self, now: float) -> None:
        """Nothing is late."""

    def abort(self) -> None:
        self.is_aborted = True


def test_oldest_idle_connection_of_the_heaviest_address_is_closed() -> None:
    busy, older, newer, others = _Place(is_idle=False), _Place(), _Place(), _Place()

    async def fill() -> None:
        table = Connections(4)
        for place, address in ((busy, "10.0.0.1"), (others, "10.0.0.2"), (older, "10.0.0.1"), (newer, "10.0.0.1")):
            assert table.open(place, address)
        assert table.open(_Place(), "10.0.0.3")

    asyncio.run(fill())
    assert [place.is_aborted for place in (busy, older, newer, others)] == [False, True, False, False]


def test_places_above_the_limit_are_few() -> None:
    async def fill() -> list[bool]:
        table = Connections(4)
        return [table.open(_Place(is_idle=False), f"10.0.0.{number}") for number in range(20)]

    assert asyncio.run(fill()) == [True] * 12 + [False] * 8


def test_caller_is_what_a_configured_proxy_says() -> None:
    claim = [(b"x-forwarded-for", b"203.0.113.9")]
    assert Connections(1).caller("127.0.0.1", claim) == "127.0.0.1"
    assert Connections(1, ["127.0.0.1"]).caller("127.0.0.1", claim) == "203.0.113.9"
    assert Connections(1, ["10.0.0.0/8"]).caller("127.0.0.1", claim) == "127.0.0.1"
    assert Connections(1, ["*"]).caller("192.0.2.1", claim) == "203.0.113.9"


def test_addresses_of_one_site_are_one_caller() -> None:
    table = Connections(1)
    assert table.caller("2001:db8:1:2::1", ()) == table.caller("2001:db8:1:2:ffff::9", ())
    assert table.caller("2001:db8:1:2::1", ()) != table.caller("2001:db8:1:3::1", ())
    assert table.caller("::ffff:192.0.2.7", ()) == "192.0.2.7"


def test_address_that_a_caller_claims_is_not_believed(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path), "THROTTLE": "address:3/hour"}
    with running_server(settings) as running:
        statuses = [
            httpx.get(f"{running.url}/api/models", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(5)
        ]
    assert statuses == [200, 200, 200, 429, 429]


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("closed")), "ACCESS": "login"}
    with running_server(settings) as running:
        yield running


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        pytest.param("", "Log in, or send a token", id="nobody"),
        pytest.param("Authorization: Token aaaa\r\n", "This token is not valid", id="a wrong token"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/api/predict", "/api/batches/", "/v2/models/a/infer"])
def test_body_of_nobody_known_is_refused_before_it_is_read(
    path: str, more: str, sentence: str, closed_server: Server
) -> None:
    started = time.monotonic()
    with connected(closed_server) as opened:
        opened.sendall(head(15_000_000, path, more))
        refused, _, body = all_of(opened).partition(b"\r\n\r\n")
    assert time.monotonic() - started < 5
    assert refused.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nwww-authenticate: Token\r\n" in refused + b"\r\n"
    assert json.loads(body)["error"].startswith(sentence)


def test_chunked_body_of_nobody_known_is_refused_where_a_form_would_end(closed_server: Server) -> None:
    pieces = itertools.repeat(b"x" * 10_000, 100)
    answer = httpx.post(f"{closed_server.url}/predict", content=pieces, headers=JPEG)
    assert answer.status_code == 401


def test_whole_photo_of_nobody_known_is_answered_though_it_is_not_read(closed_server: Server) -> None:
    answer = httpx.post(f"{closed_server.url}/predict", content=b"x" * 10_000_000, headers=JPEG)
    assert answer.status_code == 401


def test_form_to_log_in_needs_no_login(closed_server: Server) -> None:
    answer = httpx.post(f"{closed_server.url}/login/", data={"username": "a", "password": "b"})
    assert answer.status_code == 403
