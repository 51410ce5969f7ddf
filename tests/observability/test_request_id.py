"""The id of a request: taken when it is sane, in the answer and in every line of the log, also of other threads."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import httpx
import pytest

from detection.errors import StorageUnavailableError
from detection.history.recorder import Recorder
from detection.inference.detector import Detector
from detection.observability import request_id
from detection.observability.logs import RequestIdFilter, TextFormatter
from detection.photos import store as photo_store
from tests.inference.engines import BrightnessEngine, small_network
from tests.support.records import record
from tests.support.serving import Server, running_server

WAIT_S = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("ids")), "LOGGING": "json"}
    with running_server(settings) as running:
        yield running


@pytest.mark.parametrize("given", ["abc-1", "a" * 128, "Root=1-67/x+y=:.", "0"])
def test_sane_id_is_taken(given: str) -> None:
    assert request_id.valid_or_new(given) == given


@pytest.mark.parametrize("given", [None, "", "a" * 129, "a b", "a\nforged", "\xe4", '{"a"}'])
def test_other_id_is_replaced(given: str | None) -> None:
    made = request_id.valid_or_new(given)
    assert made != given
    assert len(made) == 32
    assert request_id.valid_or_new(given) != made


def lines_of(server: Server, given: str) -> list[dict[str, Any]]:
    """Return the lines of a request; the response may come before its line has been read from the server's output."""
    deadline = time.monotonic() + WAIT_S
    while True:
        entries = [json.loads(line) for line in tuple(server.lines) if line.startswith("{")]
        found = [entry for entry in entries if entry.get("request_id") == given]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "content_type", "data", "status"),
    [
        pytest.param("/predict", "image/jpeg", None, 200, id="the door"),
        pytest.param("/predict", "image/jpeg", b"not a photo", 400, id="an error of the door"),
        pytest.param("/nowhere", "text/plain", b"", 404, id="Django"),
    ],
)
def test_answer_has_the_id(
    *, path: str, content_type: str, data: bytes | None, status: int, server: Server, chelsea: bytes
) -> None:
    headers = {"Content-Type": content_type, "X-Request-ID": "id-of-the-caller"}
    answer = httpx.post(server.url + path, content=chelsea if data is None else data, headers=headers)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "id-of-the-caller")
    assert len(httpx.get(f"{server.url}/healthz").headers["X-Request-ID"]) == 32


def test_detection_is_one_line_with_its_id_and_timings(server: Server, chelsea: bytes) -> None:
    headers = {"Content-Type": "image/jpeg", "X-Request-ID": "one-line"}
    detection = httpx.post(f"{server.url}/predict", content=chelsea, headers=headers).headers["X-Detection-Id"]
    (line,) = lines_of(server, "one-line")
    assert (line["detection"], line["source"], line["bytes"]) == (detection, "api", len(chelsea))
    assert set(line["timings_ms"]) == {"queue", "decode", "resize", "inference", "boxes", "record"}


def test_threads_that_work_for_a_request_know_it() -> None:

    seen: list[str] = []

    class Listening(BrightnessEngine):
        def infer(self, batch_rgb: Any, *, photos_in_flight: int = 1) -> Any:
            seen.append(request_id.current())
            return super().infer(batch_rgb, photos_in_flight=photos_in_flight)

    detector = Detector(small_network(), Listening(), max_pixels=10**6, queue_size=4, threads=1)
    try:
        for given in ("first", "second"):
            with request_id.bound(given):
                detector.detect(record().data)
    finally:
        detector.close()
    assert seen == ["first", "second"]
    assert request_id.current() == ""


def test_file_that_could_not_be_written_is_logged_under_its_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    recorder = Recorder()
    with mock.patch.object(photo_store, "save", side_effect=OSError(28, "No space left on device")):
        with request_id.bound("full-disk"):
            future = recorder.submit(record())
        with pytest.raises(StorageUnavailableError):
            future.result(60)
    recorder.close()
    assert [getattr(line, "request_id", "") for line in caplog.records] == ["full-disk"]


def line(name: str, **extra: object) -> str:
    made = logging.LogRecord(name, logging.INFO, "x.py", 1, "Found.", (), None)
    made.__dict__.update(extra)
    return TextFormatter().format(made).split(" ", 2)[2]


def test_text_line_ends_with_what_was_passed_along() -> None:
    assert line("detection.predict.service", source="api", detection=None, request_id="a") == (
        "INFO detection.predict.service: Found. source=api request_id=a"
    )


def test_text_line_of_others_has_only_the_id() -> None:
    assert line("django.request", status_code=404, request_id="a") == "INFO django.request: Found. request_id=a"
    assert line("django.request", status_code=404) == "INFO django.request: Found."
