"""The load generator against a tiny server: it counts what is answered, refused, lost and hung."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from bench import load_client
from bench.load import LoadResult, percentile, pooled, read_tally, send, stage_medians
from bench.load_client import CONNECTION_LOST, HUNG, HttpAnswer, Load, message, parse_answer

JPEG = b"\xff\xd8\xff\xdb rest of a photo"
COMMENT_START = b"\xff\xd8\xff\xfe\x00\x12"


class TinyServer(ThreadingHTTPServer):
    """Answers the statuses in turn: 0 closes the connection without an answer, -1 answers when told to stop."""

    daemon_threads = True

    def __init__(self, statuses: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = statuses
        self.bodies: list[bytes] = []
        self.content_types: list[str | None] = []
        self.stopping = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/predict?store=0"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TinyServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            turn = len(self.server.bodies)
            self.server.bodies.append(body)
            self.server.content_types.append(self.headers["Content-Type"])
        status = self.server.statuses[turn % len(self.server.statuses)]
        if status == HUNG:
            self.server.stopping.wait(60)
        if status <= 0:
            self.close_connection = True
            return
        answer = b'{"prediction":[]}'
        self.send_response(status)
        self.send_header("Server-Timing", "decode;dur=1.50, inference;dur=10.00")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@contextmanager
def tiny_server(*statuses: int) -> Iterator[TinyServer]:
    server = TinyServer(statuses)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    return path


def test_all_requests_are_sent_and_counted(photo: Path) -> None:
    with tiny_server(200) as server:
        result = send(server.url, [photo], clients=3, requests=20)

    assert result.statuses[200] == 20
    assert len(result.latencies_ms) == 20
    assert result.failures == {}
    assert 0 < min(result.latencies_ms) <= result.slowest_ms == max(result.latencies_ms)
    assert result.throughput > 0
    assert result.stages_ms == {"decode": 1.5, "inference": 10.0}


def test_no_two_bodies_are_equal_and_each_is_a_jpeg_with_a_comment(photo: Path) -> None:
    with tiny_server(200) as server:
        send(server.url, [photo], clients=2, requests=10)

    assert len(set(server.bodies)) == 10
    assert {body[:6] for body in server.bodies} == {COMMENT_START}
    assert {body[22:] for body in server.bodies} == {JPEG[2:]}
    assert set(server.content_types) == {"image/jpeg"}


def test_what_is_no_jpeg_is_sent_as_it_is(tmp_path: Path) -> None:
    files = {"a.png": b"\x89PNG rest", "b.jpg": b"this is no photo"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with tiny_server(200) as server:
        send(server.url, [tmp_path / name for name in files], clients=1, requests=2)

    assert server.bodies == list(files.values())
    assert server.content_types == ["image/png", "image/jpeg"]


def test_refusals_count_but_have_no_latency(photo: Path) -> None:
    with tiny_server(200, 503) as server:
        result = send(server.url, [photo], clients=1, requests=10)

    assert result.failures == {503: 5}
    assert len(result.latencies_ms) == 5


def test_a_lost_connection_counts_and_the_caller_comes_back(photo: Path) -> None:
    with tiny_server(200, CONNECTION_LOST, 200) as server:
        result = send(server.url, [photo], clients=1, requests=6)

    assert result.statuses[200] == 4
    assert result.failures == {CONNECTION_LOST: 2}


def test_callers_without_an_answer_count_as_hung(photo: Path) -> None:
    with tiny_server(HUNG) as server:
        result = send(server.url, [photo], clients=2, seconds=0.1, patience_s=0.1)

    assert result.failures == {HUNG: 2}
    assert result.throughput == 0


def test_nobody_listening_is_a_lost_connection(photo: Path) -> None:
    with tiny_server(200) as server:
        url = server.url
    result = send(url, [photo], clients=2, requests=5)

    assert result.failures == {CONNECTION_LOST: 2}


def test_the_load_ends_with_its_time(photo: Path) -> None:
    with tiny_server(200) as server:
        result = send(server.url, [photo], clients=2, seconds=0.2)

    assert result.statuses[200] == len(server.bodies) > 0


def test_the_program_prints_its_tally(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tiny_server(200) as server:
        load_client.main([server.url, str(photo), "--clients=2", "--requests=7"])

    tally = json.loads(capsys.readouterr().out)
    assert tally["statuses"] == {"200": 7, "-1": 0}
    assert read_tally(tally).throughput == pytest.approx(7 / tally["lasted_s"])


def test_a_request_is_complete() -> None:
    made = message(urlsplit("http://127.0.0.1:8080/predict?store=0"), JPEG)

    head, _, start = made.before.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /predict?store=0 HTTP/1.1",
        b"Host: 127.0.0.1:8080",
        b"Content-Type: image/jpeg",
        b"Content-Length: %d" % (len(start) + 16 + len(made.after)),
    ]


def test_photos_take_turns() -> None:
    url = urlsplit("http://127.0.0.1/predict")
    load = Load([message(url, b"first"), message(url, b"second")], seconds=60, requests=3)
    load.start()

    sent = [load.next_parts() for _ in range(4)]

    assert [parts[-1] if parts else None for parts in sent] == [b"first", b"second", b"first", None]


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", None, id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None, id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", HttpAnswer(200, None), id="complete"),
        pytest.param(
            b"HTTP/1.1 503 Busy\r\nSERVER-TIMING: queue;dur=1\r\ncontent-length: 0\r\n\r\n",
            HttpAnswer(503, "queue;dur=1"),
            id="names of headers in any case",
        ),
    ],
)
def test_answers_are_read(received: bytes, answer: HttpAnswer | None) -> None:
    assert parse_answer(received) == answer


def test_an_answer_without_a_length_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="without Content-Length"):
        parse_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [
        pytest.param([3.0, 1.0, 2.0], 50, 2.0, id="median of an unsorted three"),
        pytest.param([1.0, 2.0], 50, 1.5, id="between two values"),
        pytest.param([float(value) for value in range(101)], 99, 99.0, id="p99"),
        pytest.param([7.0], 95, 7.0, id="one value"),
        pytest.param([], 50, float("nan"), id="none"),
    ],
)
def test_percentiles(values: list[float], percent: float, wanted: float) -> None:
    assert percentile(values, percent) == pytest.approx(wanted, nan_ok=True)


def test_stages_are_medians_of_those_that_have_them() -> None:
    timings = ["decode;dur=1.0, record;dur=5", "decode;dur=3.0", "decode;dur=2.5"]

    assert stage_medians(timings) == {"decode": 2.5, "record": 5.0}


def test_rounds_are_pooled() -> None:
    one = LoadResult((1.0, 2.0), {200: 2}, 10.0, 2.0, {"decode": 1.0})
    two = LoadResult((3.0,), {200: 1, 503: 4}, 30.0, 9.0, {"decode": 2.0, "record": 6.0})

    together = pooled([one, two])

    assert together == LoadResult((1.0, 2.0, 3.0), {200: 3, 503: 4}, 20.0, 9.0, {"decode": 1.5, "record": 6.0})
    assert together.summary()["p50_ms"] == np.median([1, 2, 3])
    assert together.summary()["statuses"] == {"200": 3, "503": 4}
