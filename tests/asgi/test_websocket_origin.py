"""Which pages may open a socket: those of this site, and a site is scheme, host and port."""

import asyncio
from typing import Any

import pytest

from detection.asgi.websocket_origin import OriginCheck
from tests.support.asgi_calls import http_scope

HOSTS = ["localhost", ".example.org"]
TRUSTED = ["https://front.example.net"]


def is_taken(headers: dict[str, str]) -> bool:
    """Return whether a connection is accepted."""
    taken: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        taken.append(scope["path"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        assert event["type"] == "websocket.close"

    scope: Any = {**http_scope("/ws/predict", [*headers.items()]), "type": "websocket", "subprotocols": []}
    asyncio.run(OriginCheck({"/ws/predict": app}, HOSTS, TRUSTED)(scope, receive, send))
    return taken == ["/ws/predict"]


@pytest.mark.parametrize(
    ("host", "origin", "taken"),
    [
        pytest.param("localhost:8080", None, True, id="a program"),
        pytest.param("localhost:8080", "http://localhost:8080", True, id="our page"),
        pytest.param("LocalHost:8080", "http://localhost:8080", True, id="our page, written otherwise"),
        pytest.param("detector.example.org", "https://detector.example.org", True, id="our page behind a proxy"),
        pytest.param("localhost:8080", "http://localhost:3000", False, id="another program's page on this machine"),
        pytest.param("localhost:8080", "http://localhost", False, id="the default port"),
        pytest.param("a.example.org", "https://b.example.org", False, id="another of our hosts"),
        pytest.param("localhost:8080", "https://evil.example", False, id="another site"),
        pytest.param("evil.example", "http://evil.example", False, id="a name that leads here (DNS rebinding)"),
        pytest.param("localhost:8080", "null", False, id="a page without an origin"),
        pytest.param("localhost:8080", "http://[", False, id="no address"),
        pytest.param(None, "http://localhost:8080", False, id="no host"),
        pytest.param("10.0.0.7:8080", "https://front.example.net", True, id="a trusted origin, the host changed"),
        pytest.param("10.0.0.7:8080", "http://front.example.net", False, id="a trusted host without TLS"),
    ],
)
def test_who_may_open_a_socket(host: str | None, origin: str | None, taken: bool) -> None:
    headers = {"Host": host, "Origin": origin}
    assert is_taken({name: value for name, value in headers.items() if value is not None}) is taken
