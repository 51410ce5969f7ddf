"""The short way of a photo from the event loop to the detector, and what it leaves to Django."""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from detection.errors import (
    DetectionTimeoutError,
    ModelUnavailableError,
    StorageUnavailableError,
)
from detection.inference.errors import (
    CheckpointError,
    EngineError,
    ImageDecodeError,
    ImageTooLargeError,
    InferenceError,
    OverloadedError,
)
from detection.inference.types import FoundObject, PixelBox, StageTimings
from detection.predict import service as predict_service
from detection.predict.fast_path import FastPath
from detection.predict.service import DetectionResult, Upload
from tests.support.asgi_calls import Answered, body_events, call, http_scope

CAT = FoundObject(7, "cat", 0.75, PixelBox(1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4))
HEADERS = (("Host", "127.0.0.1:8080"), ("Content-Type", "image/jpeg"))


class Behind:
    """What stands behind the door."""

    def __init__(self) -> None:
        self.called = 0

    async def __call__(self, _scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.called += 1
        await send({"type": "http.response.start", "status": 299, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.fixture
def uploads() -> Iterator[list[Upload]]:
    """What reaches the service, which finds a cat."""
    given: list[Upload] = []
    timings = StageTimings()
    timings.add("decode", 0.0015)

    async def detect(upload: Upload) -> DetectionResult:
        given.append(upload)
        return DetectionResult((CAT,), None, timings, (64, 32))

    with mock.patch.object(predict_service, "detect_async", detect):
        yield given


def middleware(behind: Any = None) -> FastPath:
    return FastPath(behind or Behind(), {"/predict", "/api/predict"}, ["127.0.0.1", "photos.example"])


def post(app: FastPath, *parts: bytes, path: str = "/predict", query: str = "", headers: Any = HEADERS) -> Answered:
    return asyncio.run(call(app, http_scope(path, headers, query=query), body_events(*parts)))


@pytest.mark.parametrize("path", ["/predict", "/api/predict"])
@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "image/webp", "IMAGE/JPEG; q=1"])
def test_photo_is_answered_without_django(path: str, content_type: str, uploads: list[Upload]) -> None:
    behind = Behind()
    headers = (("Host", "photos.example"), ("Content-Type", content_type))
    answered = post(middleware(behind), b"pho", b"to", path=path, headers=headers)
    assert answered.status == 200
    assert answered.body == (
        b'{"prediction":[{"objectClass":"cat","probability":0.75,"x":1,"y":2,"width":3,"height":4}]}'
    )
    assert answered.headers == {
        "content-type": "application/json",
        "content-length": str(len(answered.body)),
        "x-content-type-options": "nosniff",
        "server-timing": "decode;dur=1.50",
    }
    assert [upload.data for upload in uploads] == [b"photo"]
    assert behind.called == 0


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        pytest.param("/predict", "GET", HEADERS, id="other method"),
        pytest.param("/predict/", "POST", HEADERS, id="other path"),
        pytest.param("/predict", "POST", (("Host", "evil.example"), HEADERS[1]), id="unknown host"),
        pytest.param("/predict", "POST", (HEADERS[1],), id="no host"),
        pytest.param("/predict", "POST", (HEADERS[0],), id="no type"),
        pytest.param("/predict", "POST", (HEADERS[0], ("Content-Type", "text/plain")), id="other type"),
        pytest.param("/predict", "POST", (HEADERS[0], ("Content-Type", "multipart/form-data")), id="form"),
        pytest.param("/predict", "POST", (*HEADERS, ("Content-Encoding", "gzip")), id="compressed"),
    ],
)
def test_everything_else_is_left_to_django(path: str, method: str, headers: Any, uploads: list[Upload]) -> None:
    behind = Behind()
    answered = asyncio.run(call(middleware(behind), http_scope(path, headers, method), body_events(b"photo")))
    assert (answered.status, behind.called, uploads) == (299, 1, [])


@pytest.mark.parametrize(
    ("query", "name", "wanted"),
    [
        pytest.param("", "", (None, True, "api", ""), id="nothing"),
        pytest.param("threshold=0.25", "", (0.25, True, "api", ""), id="threshold"),
        pytest.param("threshold=0.1&threshold=0.9", "", (0.9, True, "api", ""), id="the last of two counts"),
        pytest.param("store=0", "", (None, False, "api", ""), id="no history"),
        pytest.param("source=page", "", (None, True, "page", ""), id="the page"),
        pytest.param("", "a%20b%2Fc.jpg", (None, True, "api", "a b/c.jpg"), id="percent-encoded name"),
        pytest.param("", "Kätzchen.jpg".encode().decode("latin-1"), (None, True, "api", "Kätzchen.jpg"), id="UTF-8"),
        pytest.param("", "K\xe4tzchen.jpg", (None, True, "api", "Kätzchen.jpg"), id="Latin-1"),
        pytest.param("", "100%.jpg", (None, True, "api", "100%.jpg"), id="a percent sign"),
    ],
)
def test_wishes_of_the_caller_reach_the_service(query: str, name: str, wanted: Any, uploads: list[Upload]) -> None:
    assert post(middleware(), b"photo", query=query, headers=(*HEADERS, ("X-File-Name", name))).status == 200
    (upload,) = uploads
    assert (upload.threshold, upload.store, upload.source, upload.original_name) == wanted


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        pytest.param(ImageDecodeError("A."), 400, "A.", id="not a photo"),
        pytest.param(ImageTooLargeError("B."), 413, "B.", id="too many pixels"),
        pytest.param(OverloadedError("C."), 503, "C.", id="overloaded"),
        pytest.param(DetectionTimeoutError("D."), 503, "D.", id="timeout"),
        pytest.param(StorageUnavailableError("E."), 503, "E.", id="storage"),
        pytest.param(ModelUnavailableError("F."), 503, "F.", id="no model"),
        pytest.param(CheckpointError("G."), 503, "G.", id="checkpoint"),
        pytest.param(EngineError("H."), 503, "H.", id="engine"),
        pytest.param(InferenceError("I."), 500, "I.", id="other inference"),
        pytest.param(
            ZeroDivisionError("secret"),
            500,
            "The server failed on this request. The reason is in its log; try again or tell its operator.",
            id="a mistake of ours",
        ),
    ],
)
def test_error_is_a_status_and_a_sentence(error: Exception, status: int, sentence: str) -> None:
    with mock.patch.object(predict_service, "detect_async", side_effect=error):
        answered = post(middleware(), b"photo")
    assert (answered.status, answered.json) == (status, {"error": sentence})
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers.get("retry-after") == ("1" if status == 503 else None)


def test_mistake_of_ours_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch.object(predict_service, "detect_async", side_effect=ZeroDivisionError("secret")):
        post(middleware(), b"photo")
    assert "The request to /predict failed." in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text


def test_caller_who_leaves_within_the_body_is_not_detected_for(uploads: list[Upload]) -> None:
    events = [{"type": "http.request", "body": b"pho", "more_body": True}]
    answered = asyncio.run(call(middleware(), http_scope("/predict", HEADERS), events, leaves=True))
    assert (answered.status, uploads) == (0, [])


def test_caller_who_leaves_before_the_answer_takes_the_photo_out_of_the_queue() -> None:
    ended: list[str] = []

    async def detect(_: Upload) -> DetectionResult:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        raise AssertionError

    with mock.patch.object(predict_service, "detect_async", detect):
        answered = asyncio.run(call(middleware(), http_scope("/predict", HEADERS), body_events(b"photo"), leaves=True))
    assert (answered.status, ended) == (0, ["cancelled"])


def test_server_that_stops_takes_the_photo_out_of_the_queue() -> None:
    ended: list[str] = []

    async def detect(_: Upload) -> DetectionResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        raise AssertionError

    async def stop() -> None:
        serving = asyncio.ensure_future(call(middleware(), http_scope("/predict", HEADERS), body_events(b"photo")))
        for _ in range(10):
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        await asyncio.sleep(0)

    with mock.patch.object(predict_service, "detect_async", detect):
        asyncio.run(stop())
    assert ended == ["cancelled"]
