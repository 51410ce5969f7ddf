"""Keys that clients send as `api_key`: found in time, passed on as a header, gone from the address."""

import asyncio
import base64
import json
from typing import Any

import pytest

from detection.asgi.api_keys import ApiKeys
from tests.support.asgi_calls import body_events, call, http_scope

KEY = "0123456789abcdef" * 2 + "01234567"
FORM = b'--x\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n' + KEY.encode() + b"\r\n--x\r\n"
TYPED_FORM = FORM.replace(b'"\r\n\r\n', b'"\r\nContent-Type: text/plain\r\n\r\n', 1)
JSON = json.dumps({"api_key": KEY, "image": "x" * 9000}).encode()
LATE = json.dumps({"image": "x" * 9000, "api_key": KEY}).encode()


class Inner:
    """Application that keeps what reaches it."""

    def __init__(self) -> None:
        self.authorization: list[str] = []
        self.query = b""
        self.body = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.authorization = [value.decode() for name, value in scope["headers"] if name == b"authorization"]
        self.query = scope["query_string"]
        while True:
            event = await receive()
            self.body += event["body"]
            if not event["more_body"]:
                return


def passed(path: str, *parts: bytes, query: str = "", needed: bool = True, **headers: str) -> Inner:
    inner = Inner()
    layer = ApiKeys(inner, ("/v1/",), 5.0, lambda: needed)
    asyncio.run(call(layer, http_scope(path, list(headers.items()), query=query), body_events(*parts)))
    assert inner.body == b"".join(parts)
    return inner


@pytest.mark.parametrize(
    ("parts", "query"),
    [
        pytest.param([JSON], "", id="JSON"),
        pytest.param([FORM], "", id="form"),
        pytest.param([TYPED_FORM], "", id="form with types"),
        pytest.param([FORM[:30], FORM[30:70], FORM[70:] + b"x" * 9000], "", id="in pieces"),
        pytest.param([b""], f"api_key={KEY}", id="query"),
        pytest.param([b"x" * 9000], f"a=b&api_key={KEY}&c=d", id="among others"),
    ],
)
def test_key_becomes_a_header(parts: list[bytes], query: str) -> None:
    inner = passed("/v1/vision/detection", *parts, query=query)
    assert inner.authorization == [f"Bearer {KEY}"]
    assert b"api_key" not in inner.query


def test_other_parameters_stay() -> None:
    assert passed("/v1/x", query=f"a=b&api_key={KEY}&c=d").query == b"a=b&c=d"
    assert passed("/v1/x", query=f"api_key={KEY}&c=d").query == b"c=d"
    assert passed("/v1/x", query="my_api_key=1").query == b"my_api_key=1"


@pytest.mark.parametrize(
    ("path", "parts", "query", "needed"),
    [
        pytest.param("/predict", [JSON], f"api_key={KEY}", True, id="another address"),
        pytest.param("/v1/x", [LATE], "", True, id="behind the photo"),
        pytest.param("/v1/x", [JSON], "", False, id="nobody asks"),
        pytest.param("/v1/x", [b'{"api_key": "not a key"}'], "", True, id="no key"),
        pytest.param("/v1/x", [b""], "api_key=%0D%0AHost:", True, id="line break"),
        pytest.param("/v1/x", [b""], "api_key=", True, id="empty"),
    ],
)
def test_nothing_else_becomes_one(path: str, parts: list[bytes], query: str, needed: bool) -> None:
    assert passed(path, *parts, query=query, needed=needed).authorization == []


def test_header_counts_before_the_key() -> None:
    assert passed("/v1/x", JSON, query=f"api_key={KEY}", Authorization="Token t").authorization == ["Token t"]


def test_password_of_basic_authentication_is_a_key() -> None:
    given = base64.b64encode(f"label-studio:{KEY}".encode()).decode()
    assert passed("/v1/x", Authorization=f"Basic {given}").authorization == [f"Bearer {KEY}"]
    for other in ("Basic %%%", "Basic YQ==", "Basic"):
        assert passed("/v1/x", Authorization=other).authorization == [other]


def test_key_does_not_stay_in_the_address_that_servers_log() -> None:
    scope = http_scope("/v1/x", [], query=f"api_key={KEY}")
    asyncio.run(call(ApiKeys(Inner(), ("/v1/",), 5.0, lambda: False), scope, body_events(b"")))
    assert scope["query_string"] == b""


def test_body_that_never_comes_is_left_to_the_limits() -> None:
    """The layer gives up after its time, and the application below receives."""
    reached = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    asyncio.run(call(ApiKeys(inner, ("/v1/",), 0.05, lambda: True), http_scope("/v1/x", [])))
    assert reached == ["/v1/x"]
