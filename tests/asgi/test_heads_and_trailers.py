"""Bytes outside of bodies are bounded: request lines, headers, trailers, chunk extensions, and what is none."""

import itertools
import json
import time
from collections.abc import Iterator

import httpx
import pytest

from detection.asgi.http_protocol import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from tests.support.hostile import all_of, connected, flood, resident_mb
from tests.support.serving import Server, running_server

JPEG = {"Content-Type": "image/jpeg"}
LINE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PHOTO = b"POST /predict?store=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
CHUNKED = PHOTO + b"Transfer-Encoding: chunked\r\n\r\n"
FLOOD_BYTES = 60_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("heads"))}) as running:
        yield running


@pytest.mark.parametrize(
    ("begun", "piece", "status"),
    [
        pytest.param(b"GET /", b"a" * 32_768, 414, id="address"),
        pytest.param(LINE + b"X-A: ", b"a" * 32_768, 431, id="header value"),
        pytest.param(LINE, b"X-A: b\r\n" * 4096, 431, id="small headers"),
        pytest.param(LINE, b"a" * 32_768, 431, id="header name"),
        pytest.param(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 4096, 431, id="trailers"),
        pytest.param(CHUNKED + b"1\r\nx\r\n0\r\nX-A: ", b"a" * 32_768, 431, id="trailer value"),
        pytest.param(CHUNKED + b"1;a=", b"a" * 32_768, 431, id="chunk extension"),
        pytest.param(b"", b"\r\n" * 16_384, 431, id="line ends"),
    ],
)
def test_endless_bytes_outside_of_a_body_are_refused(begun: bytes, piece: bytes, status: int, server: Server) -> None:
    before_mb = resident_mb(server)
    with connected(server) as opened:
        opened.sendall(begun)
        started = time.monotonic()
        sent = flood(opened, itertools.repeat(piece), FLOOD_BYTES)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert time.monotonic() - started < 5
    assert sent < FLOOD_BYTES
    assert resident_mb(server) - before_mb < 30
    with connected(server) as opened:
        opened.sendall(begun + piece * 30)
        answer = all_of(opened)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    assert json.loads(body)["error"].startswith("The address" if status == 414 else "The headers")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(
            b"GET /healthz?" + b"a" * (MAX_TARGET_BYTES - 100) + b" HTTP/1.1\r\nHost: a\r\n\r\n", 200, id="fits"
        ),
        pytest.param(b"GET /healthz?" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, id="address"),
        pytest.param(LINE + b"X-A: " + b"a" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n", 200, id="large header fits"),
        pytest.param(LINE + b"X-A: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, id="large header"),
        pytest.param(LINE + b"X-A: b\r\n" * (MAX_HEADERS - 1) + b"\r\n", 200, id="many headers fit"),
        pytest.param(LINE + b"X-A: b\r\n" * MAX_HEADERS + b"\r\n", 431, id="many headers"),
    ],
)
def test_limits_are_what_the_sentences_say(request_bytes: bytes, status: int, server: Server) -> None:
    with connected(server) as opened:
        opened.sendall(
            request_bytes.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n").replace(b"X-A: b\r\nConn", b"Conn")
        )
        assert all_of(opened).startswith(b"HTTP/1.1 %d " % status)


def test_refused_head_behind_a_request_that_is_answered_waits_for_its_answer(server: Server, chelsea: bytes) -> None:
    first = (
        b"POST /predict?store=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s"
        % (len(chelsea), chelsea)
    )
    with connected(server) as opened:
        opened.sendall(first + b"\x00\x01 no request\r\n\r\n")
        answer = all_of(opened)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"objectClass":"cat"' in answer


def test_what_is_no_request_is_told_so_in_json(server: Server) -> None:
    with connected(server) as opened:
        opened.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        head, _, body = all_of(opened).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"].startswith("This is not a valid HTTP/1.1 request.")


def test_trailers_are_no_headers_of_the_request(server: Server, chelsea: bytes) -> None:
    body = b"%x\r\n%s\r\n0\r\nX-File-Name: trailer.jpg\r\n\r\n" % (len(chelsea), chelsea)
    with connected(server) as opened:
        opened.sendall(CHUNKED + body + LINE + b"Connection: close\r\n\r\n")
        answer = all_of(opened)
    assert answer.count(b"HTTP/1.1 200 ") == 2


def test_answered_connection_does_not_stay_open_for_bytes_that_begin_no_request(
    tmp_path: pytest.TempPathFactory,
) -> None:
    with running_server({"DATA_DIR": str(tmp_path), "UPLOAD_TIMEOUT": "1"}) as running, connected(running) as opened:
        opened.sendall(LINE + b"\r\n")
        assert opened.recv(65536).startswith(b"HTTP/1.1 200 ")
        opened.settimeout(0.2)
        ended = time.monotonic() + 20
        while time.monotonic() < ended:
            try:
                opened.sendall(b"\r\n")
                if opened.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() < ended
