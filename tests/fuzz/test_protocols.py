"""Requests and messages that are nearly right, drawn by hypothesis and sent to a real server.

Never a 500, never a traceback, always a sentence; the server lives, answers a right request after each, and does not
grow. FUZZ_EXAMPLES=2000 tries so many of each kind (40 else).
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.fuzz import requests
from tests.fuzz.exchange import WAIT_S, Seen, check, check_server, complaints, exchange, memory_bytes, request_bytes
from tests.fuzz.requests import PHOTO
from tests.support.serving import Server, running_server

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
MAX_BODY_BYTES = 1_000_000
MOST_GROWTH_BYTES = 150_000_000
fuzzing = settings(
    deadline=None, derandomize=True, database=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck)
)
pytestmark = pytest.mark.timeout(120 + 2 * EXAMPLES)
JPEG = (b"Content-Type", b"image/jpeg")
CHUNKED = (b"Transfer-Encoding", b"chunked")


def length_of(body: bytes) -> tuple[bytes, bytes]:
    return (b"Content-Length", b"%d" % len(body))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with fuzzed_server({"DATA_DIR": str(tmp_path_factory.mktemp("protocols"))}) as running:
        yield running


@contextlib.contextmanager
def fuzzed_server(environment: dict[str, str]) -> Iterator[Server]:
    """A server that does not wait for long; in the end it has nothing to complain about, and has not grown."""
    limits = {"MAX_BODY_BYTES": str(MAX_BODY_BYTES), "UPLOAD_TIMEOUT": "0.5"}
    with running_server({**environment, **limits}) as running:
        for _ in range(20):
            check_server(running, PHOTO)
        before = memory_bytes(running)
        yield running
        check_server(running, PHOTO)
        assert memory_bytes(running) - before < MOST_GROWTH_BYTES
        assert complaints(running) == []


@pytest.fixture
def detection(server: Server) -> str:
    """The address of a detection of the API."""
    answer = httpx.post(f"{server.url}/predict", content=PHOTO, headers={"Content-Type": "image/jpeg"}, timeout=WAIT_S)
    return f"/api/detections/{UUID(answer.headers['X-Detection-Id'])}/"


def fuzz(server: Server, strategy: st.SearchStrategy[Any], send: Callable[[Any], object]) -> None:
    """Send what is drawn; after each the server answers a right request, and has nothing to complain about."""

    @fuzzing
    @given(strategy)
    def try_one(drawn: Any) -> None:
        said_before = len(server.lines)
        send(drawn)
        check_server(server, PHOTO)
        assert complaints(server)[before:] == [], "\n".join(server.lines[said_before:])

    before = len(complaints(server))
    try_one()


def test_forms(server: Server) -> None:
    seen = Seen()

    def send(drawn: tuple[bytes, tuple[bytes, bytes]]) -> None:
        path, (content_type, body) = drawn
        sent = request_bytes("POST", path, [(b"Content-Type", content_type), length_of(body)], body)
        # A form of a page needs the token of that page, so none of these gets through there.
        check(seen.add(exchange(server, sent)), is_page=path == b"/")

    paths = st.sampled_from([b"/predict?store=0", b"/api/predict?store=0", b"/"])
    fuzz(server, st.tuples(paths, requests.forms()), send)
    assert seen.has_both()


def test_forms_in_chunks(server: Server) -> None:
    seen = Seen()

    def send(drawn: tuple[bytes, bytes]) -> None:
        content_type, body = drawn
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:100], body[100:]) if piece)
        given_headers = [(b"Content-Type", content_type), CHUNKED]
        check(seen.add(exchange(server, request_bytes("POST", b"/predict", given_headers, chunks + b"0\r\n\r\n"))))

    fuzz(server, requests.forms(), send)
    assert seen.has_both()


def test_chunked_bodies(server: Server) -> None:
    seen = Seen()

    def send(body: bytes) -> None:
        check(seen.add(exchange(server, request_bytes("POST", b"/predict?store=0", [JPEG, CHUNKED], body))))

    fuzz(server, requests.chunks(), send)
    assert seen.has_both()


def test_framings_that_contradict_each_other(server: Server) -> None:
    seen = Seen()

    def send(drawn: tuple[Any, bytes]) -> None:
        framing, body = drawn
        check(seen.add(exchange(server, request_bytes("POST", b"/predict?store=0", [JPEG, *framing], body))))

    fuzz(server, st.tuples(requests.FRAMINGS, requests.chunks()), send)
    assert seen.statuses[400] > 0


ASKED = {
    "GET": ["/api/detections/", "/history/", "{detection}photo", "/static/x"],
    "HEAD": ["/history/", "{detection}photo"],
    "OPTIONS": ["/api/detections/", "/predict"],
    "DELETE": ["/api/detections/00000000-0000-4000-8000-000000000000/"],
    "POST": ["/predict?store=0", "/api/predict?store=0"],
}
CALLS = st.sampled_from([(method, place) for method, places in ASKED.items() for place in places])


def test_headers(server: Server, detection: str) -> None:
    seen = Seen()

    def send(drawn: tuple[tuple[str, str], requests.Headers]) -> None:
        (method, place), headers = drawn
        body = PHOTO if method == "POST" else b""
        if method == "POST" and all(name != b"Content-Type" for name, _ in headers):
            headers = [*headers, JPEG]
        target = place.replace("{detection}", detection).encode()
        reply = exchange(server, request_bytes(method, target, [*headers, length_of(body)], body))
        check(seen.add(reply), is_page=method != "POST")

    fuzz(server, st.tuples(CALLS, requests.headers()), send)
    assert seen.has_both()


def test_query_strings(server: Server, detection: str) -> None:
    seen = Seen()

    def send(drawn: tuple[str, bytes]) -> None:
        place, query = drawn
        target = place.replace("{detection}", detection).encode() + b"?" + query
        check(seen.add(exchange(server, request_bytes("GET", target, []))), is_page=True)

    fuzz(server, st.tuples(requests.PLACES, requests.queries()), send)
    assert seen.has_both()


def test_query_strings_of_photos(server: Server) -> None:
    seen = Seen()

    def send(query: bytes) -> None:
        sent = request_bytes("POST", b"/predict?store=0&" + query, [JPEG, length_of(PHOTO)], PHOTO)
        check(seen.add(exchange(server, sent)))

    fuzz(server, requests.queries(), send)
    assert seen.has_both()


def test_inferences(server: Server) -> None:
    seen = Seen()
    model = httpx.get(f"{server.url}/api/models", timeout=WAIT_S).json()["models"][0]["name"]
    target = f"/v2/models/{model}/infer".encode()

    def send(drawn: tuple[bytes, int | None]) -> None:
        body, header_length = drawn
        given_headers = [length_of(body)]
        if header_length is not None:
            given_headers.append((b"Inference-Header-Content-Length", b"%d" % header_length))
        check(seen.add(exchange(server, request_bytes("POST", target, given_headers, body))))

    fuzz(server, requests.inferences((300, 300, 3)), send)
    assert seen.has_both()


@contextlib.contextmanager
def opened(server: Server, path: str) -> Iterator[ClientConnection]:
    address = server.url.replace("http:", "ws:") + path
    with connect(address, open_timeout=WAIT_S, proxy=None) as client:
        yield client


def said(client: ClientConnection) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(client.recv(WAIT_S))
    return answer


def test_messages_of_predict(server: Server) -> None:
    """Each message has one answer, in its turn."""
    keys: set[str] = set()

    def send(messages: list[str | bytes]) -> None:
        with opened(server, "/ws/predict?store=0") as client:
            for message in messages:
                client.send(message)
                answer = said(client)
                keys.update(answer)
                assert ("prediction" in answer) != ("error" in answer)
                assert message != PHOTO or "prediction" in answer

    fuzz(server, requests.MESSAGES, send)
    assert {"prediction", "error"} <= keys


def test_messages_of_live(server: Server) -> None:
    """The last frame has an answer, whatever came before it."""
    keys: set[str] = set()

    def send(messages: list[str | bytes]) -> None:
        frames = 1 + sum(isinstance(message, bytes) for message in messages)
        with opened(server, "/ws/live") as client:
            for message in [*messages, PHOTO]:
                client.send(message)
            answer: dict[str, Any] = {}
            while answer.get("frame") != frames:
                answer = said(client)
                keys.update(answer)
            assert "prediction" in answer

    fuzz(server, requests.MESSAGES, send)
    assert {"prediction", "error"} <= keys


def test_messages_to_a_batch(server: Server) -> None:
    """Nothing is said there, and nothing comes of it."""
    listed = {"photos": [{"name": "a.jpg", "size_bytes": len(PHOTO)}]}
    batch = httpx.post(f"{server.url}/api/batches/", json=listed, timeout=WAIT_S).json()["id"]

    def send(messages: list[str | bytes]) -> None:
        with opened(server, f"/ws/batches/{batch}") as client:
            for message in messages:
                client.send(message)
            pong = client.ping()
            assert pong.wait(WAIT_S)

    fuzz(server, requests.MESSAGES, send)
    address = f"{server.url}/api/batches/{batch}/photos/0"
    with opened(server, f"/ws/batches/{batch}") as client:
        sent = httpx.post(address, content=PHOTO, headers={"Content-Type": "image/jpeg"}, timeout=WAIT_S)
        assert sent.is_success, sent.text
        while said(client)["state"] != "done":
            pass


OPCODES = st.sampled_from([0x0, 0x1, 0x2, 0x8, 0x9, 0xA, 0x3, 0xF])
PAYLOADS = st.one_of(
    st.just(b""), st.binary(max_size=130), st.sampled_from([b"\xff\xfe", b"\x03\xe8ok", b"\x03\xed", PHOTO])
)


def frame_bytes(first: int, payload: bytes, *, masked: bool, more: int) -> bytes:
    """A frame whose length is said wrong by `more`."""
    length, bit = len(payload) + more, 0x80 * masked
    head = bytes((first, bit | length)) if length < 126 else bytes((first, bit | 126)) + length.to_bytes(2, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames with bits that mean nothing, in orders that RFC 6455 forbids."""
    pieces = []
    for _ in range(draw(st.integers(1, 5))):
        final_and_reserved = draw(st.sampled_from([0x80] * 5 + [0x00] * 3 + [0xC0, 0x90]))
        more = draw(st.sampled_from([0] * 9 + [1]))
        payload, masked = draw(PAYLOADS), draw(st.sampled_from([True] * 9 + [False]))
        pieces.append(frame_bytes(final_and_reserved | draw(OPCODES), payload, masked=masked, more=more))
    return b"".join(pieces)


@pytest.mark.parametrize("path", ["/ws/predict?store=0", "/ws/live"])
def test_frames(path: str, server: Server) -> None:
    """Whatever the bits, the connection ends, with a code that does not blame the server."""
    codes: set[int] = set()

    def send(raw: bytes) -> None:
        with opened(server, path) as client:
            with contextlib.suppress(ConnectionError):
                client.socket.sendall(raw + frame_bytes(0x88, b"\x03\xe8", masked=True, more=0))
            with pytest.raises(ConnectionClosed) as closed:
                everything(client)
        codes.add(closed.value.rcvd.code if closed.value.rcvd else 0)

    fuzz(server, frames(), send)
    assert 1011 not in codes
    assert {1000, 1002} <= codes


def everything(client: ClientConnection) -> None:
    """Read until the server closes."""
    while True:
        client.recv(WAIT_S)
