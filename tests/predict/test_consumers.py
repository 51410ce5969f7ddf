"""Detection over a WebSocket, against a real server."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from detection.inference.errors import EngineError, OverloadedError
from detection.inference.photos import formats
from detection.predict import service as predict_service
from detection.predict.consumers import PredictConsumer
from tests.support import photos
from tests.support.serving import Server, running_server
from tests.support.sockets import ConsumerSocket

WAIT_S = 60
Open = Callable[..., AbstractContextManager[ClientConnection]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("websocket")), "MAX_BODY_BYTES": "1000000"}
    with running_server(settings) as running:
        yield running


@pytest.fixture
def opened(server: Server) -> Open:
    """Open a connection: `with opened("?threshold=0.5") as socket`."""

    def open_(query: str = "", path: str = "/ws/predict", **options: Any) -> AbstractContextManager[ClientConnection]:
        address = server.url.replace("http:", "ws:") + path + query
        socket: AbstractContextManager[ClientConnection] = connect(address, open_timeout=WAIT_S, proxy=None, **options)
        return socket

    return open_


def answer(socket: ClientConnection, message: bytes | str) -> Any:
    socket.send(message)
    received = socket.recv(WAIT_S)
    assert isinstance(received, str)
    return json.loads(received)


def history(server: Server) -> Any:
    return httpx.get(f"{server.url}/api/detections/?page_size=200").json()["results"]


def test_photo_in_objects_out_and_kept_as_of_a_websocket(server: Server, opened: Open, chelsea: bytes) -> None:
    with opened() as socket:
        body = answer(socket, chelsea)
    assert list(body) == ["prediction", "detectionId"]
    assert (
        body["prediction"]
        == httpx.post(f"{server.url}/predict?store=0", content=chelsea, headers={"Content-Type": "image/jpeg"}).json()[
            "prediction"
        ]
    )
    (kept,) = [one for one in history(server) if one["id"] == body["detectionId"]]
    assert kept["source"] == "websocket"


def test_one_connection_takes_many_photos_in_order(opened: Open) -> None:
    names = ["chelsea", "astronaut", "motorcycle_left"] * 2
    with opened("?store=0") as socket:
        for name in names:
            socket.send(photos.real_photo(name))
        classes = [json.loads(socket.recv(WAIT_S))["prediction"][0]["objectClass"] for _ in names]
    assert classes == ["cat", "person", "motorbike"] * 2


def test_wishes_in_the_address_count_for_the_whole_connection(server: Server, opened: Open, chelsea: bytes) -> None:
    before = len(history(server))
    with opened("?threshold=1&store=0") as socket:
        for _ in range(2):
            assert answer(socket, chelsea) == {"prediction": [], "detectionId": None}
    assert len(history(server)) == before


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(b"", formats.EMPTY, id="empty"),
        pytest.param(
            b"no photo",
            formats.UNREADABLE,
            id="no photo",
        ),
        pytest.param("text", "Send a photo as one binary message.", id="text"),
        pytest.param(
            photos.png_bomb(),
            "The photo has 30000 x 30000 pixels; at most 60,000,000 pixels are accepted. Send a smaller one.",
            id="bomb",
        ),
    ],
)
def test_what_cannot_be_used_is_answered_and_the_connection_stays(
    message: bytes | str, sentence: str, server: Server, opened: Open, chelsea: bytes
) -> None:
    before = len(history(server))
    with opened("?store=0") as socket:
        assert answer(socket, message) == {"error": sentence}
        assert answer(socket, chelsea)["prediction"][0]["objectClass"] == "cat"
    assert len(history(server)) == before


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?threshold=abc", "threshold is 'abc'; set it to a number from 0 to 1, or leave it out."),
        ("?store=maybe", "store is 'maybe'; set it to one of 0, false, 1, true, or leave it out."),
    ],
    ids=["threshold", "store"],
)
def test_address_that_cannot_be_used_is_told_and_closed(query: str, sentence: str, opened: Open) -> None:
    with opened(query) as socket:
        assert json.loads(socket.recv(WAIT_S)) == {"error": sentence}
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_message_above_the_limit_closes_the_connection(opened: Open) -> None:
    with opened() as socket:
        socket.send(b"x" * 1_000_001)
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("name", ["treshold", "image", "X-File-Name"])
def test_unknown_parameter_is_told_and_the_connection_is_closed(name: str, opened: Open) -> None:
    with opened(f"?{name}=0") as socket:
        said = json.loads(socket.recv(WAIT_S))["error"]
        assert said.startswith(f"There is no parameter '{name}' here. Use threshold")
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_page_of_this_site_may_connect(server: Server, opened: Open, chelsea: bytes) -> None:
    with opened("?store=0", origin=server.url) as socket:
        assert answer(socket, chelsea)["prediction"][0]["objectClass"] == "cat"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1.evil.example", "null", "http://["],
)
def test_page_of_another_site_is_refused(origin: str, opened: Open) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(origin=origin):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/ws/none", "/ws/predict/", "/"])
def test_unknown_address_is_refused_without_an_error_of_ours(path: str, server: Server, opened: Open) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(path=path):
        pass
    assert refused.value.response.status_code == 403
    assert "Traceback" not in server.output


@pytest.mark.parametrize(
    ("error", "sentence", "closed"),
    [
        pytest.param(OverloadedError("Wait."), "Wait.", False, id="overloaded"),
        pytest.param(EngineError("Broken."), "Broken.", True, id="engine"),
        pytest.param(
            ZeroDivisionError("secret"),
            "The server failed on this request. The reason is in its log; try again or tell its operator.",
            True,
            id="a mistake of ours",
        ),
    ],
)
def test_connection_is_closed_when_the_server_itself_has_failed(error: Exception, sentence: str, closed: bool) -> None:
    async def talk() -> list[Any]:
        async with ConsumerSocket(PredictConsumer.as_asgi(), "/ws/predict") as socket:
            await socket.send(b"photo")
            return [await socket.message() for _ in range(2 if closed else 1)]

    with mock.patch.object(predict_service, "detect_async", side_effect=error):
        answered = asyncio.run(talk())
    assert json.loads(answered[0]["text"]) == {"error": sentence}
    assert [event["code"] for event in answered[1:]] == ([1011] if closed else [])
