"""Where a login is needed, requests of strangers to the API are answered before Django, with what Django would say."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from detection.asgi.strangers import Strangers
from detection.protocols.errors import shaped
from tests.support.asgi_calls import Answered, body_events, call, http_scope

PASSED_ON = 299


def asked(path: str, headers: dict[str, str] | None = None, *, is_needed: bool = True) -> Answered:
    """What becomes of a GET; 299 where it goes on to the application."""

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": PASSED_ON, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    app = Strangers(application, "/api/", lambda: is_needed, shaped)
    scope = http_scope(path, list((headers or {}).items()), "GET")
    return asyncio.run(call(app, scope, body_events(b"")))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/detections/", {}),
        ("/api/detections/", {"Cookie": "theme=dark; csrftoken=x"}),
        ("/api/v1/vision/labels", {}),
        ("/api/hf/none", {}),
    ],
)
def test_stranger_is_answered_as_by_django(limits: Any, client: Client, path: str, headers: dict[str, str]) -> None:
    limits(access="login")
    answered = asked(path, headers)
    by_django: Any = client.get(path, headers=headers) if "detections" in path else client.post(path)
    assert (answered.status, answered.json) == (401, by_django.json())
    assert answered.headers["www-authenticate"] == by_django.headers["WWW-Authenticate"]
    assert answered.headers["content-type"] == by_django.headers["Content-Type"]


@pytest.mark.parametrize(
    ("path", "headers", "is_needed"),
    [
        pytest.param("/api/detections/", {"Authorization": "Token x"}, True, id="token, valid or not"),
        pytest.param("/api/detections/", {"Cookie": "theme=dark; sessionid=x"}, True, id="login, valid or not"),
        pytest.param("/api/detections/", {}, False, id="ACCESS=open"),
        pytest.param("/history/", {}, True, id="page, which leads to the login"),
        pytest.param("/healthz", {}, True, id="open to all"),
        pytest.param("/v2/health/live", {}, True, id="open to all, of a protocol"),
    ],
)
def test_others_go_on_to_django(path: str, headers: dict[str, str], is_needed: bool) -> None:
    assert asked(path, headers, is_needed=is_needed).status == PASSED_ON


def test_connection_goes_on_unless_there_is_a_body_which_is_not_read() -> None:
    assert "connection" not in asked("/api/models").headers
    answered = asked("/api/models", {"Content-Length": "5"})
    assert (answered.headers["connection"], answered.received) == ("close", 0)
