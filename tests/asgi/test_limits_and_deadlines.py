"""Limits of a real server: slow, packed and foreign requests and messages, many parts, too much of all."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.support.hostile import connected
from tests.support.serving import Server, running_server

TIMEOUT_S = 1.0
WAIT_S = 30
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("limits")),
        "UPLOAD_TIMEOUT": str(TIMEOUT_S),
    }
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It waits long enough, and has room for one and a half of the largest bodies."""
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("small")),
        "MAX_BODY_BYTES": "1000000",
        "BODY_BUDGET_BYTES": "1500000",
    }
    with running_server(settings) as running:
        yield running


@contextlib.contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    with connected(server) as opened:
        yield opened


def all_of(opened: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    while part := opened.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Type: image/jpeg\r\nContent-Length: 1000\r\n", id="the door"),
        pytest.param(b"Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n", id="in chunks"),
        pytest.param(b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n", id="a form"),
    ],
)
def test_body_that_does_not_come_is_answered_and_the_connection_closed(head: bytes, server: Server) -> None:
    started = time.monotonic()
    with connection(server) as opened:
        opened.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n")
        answer = all_of(opened)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":"The body did not arrive within 1 seconds. Send it again, or send a smaller photo."}' in answer
    assert b"connection: close" in answer.lower()
    assert time.monotonic() - started >= TIMEOUT_S * 0.9


@pytest.mark.parametrize(
    "begun", [b"", b"POST /pre", b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "], ids=["none", "line", "header"]
)
def test_header_that_does_not_come_is_not_waited_for(begun: bytes, server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(begun)
        assert all_of(opened) == b""


def test_slow_header_after_a_good_request_is_not_waited_for(server: Server) -> None:
    with connection(server) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /hea")
        answer = all_of(opened)
    assert answer.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x"])
@pytest.mark.parametrize("path", ["/predict", "/api/batches/"])
def test_packed_body_is_refused(encoding: str, path: str, server: Server, chelsea: bytes) -> None:
    answer = httpx.post(server.url + path, content=chelsea, headers={**JPEG, "Content-Encoding": encoding})
    assert answer.status_code == 415
    assert answer.json() == {
        "error": "A Content-Encoding is not accepted. Send the photo as it is, without this header."
    }


def test_identity_is_no_encoding(server: Server, chelsea: bytes) -> None:
    headers = {**JPEG, "Content-Encoding": "identity"}
    assert httpx.post(f"{server.url}/predict?store=0", content=chelsea, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 200), ("same-origin", 200), ("none", 200), (None, 200)],
)
def test_form_of_another_site_is_refused(site: str | None, status: int, server: Server, chelsea: bytes) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    answer = httpx.post(f"{server.url}/predict?store=0", files={"image": chelsea}, headers=headers)
    assert answer.status_code == status
    assert ("another site" in answer.text) is (status == 403)


def test_link_from_another_site_is_followed(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(("fields", "files"), [pytest.param(1001, 0, id="fields"), pytest.param(0, 11, id="files")])
def test_form_of_too_many_parts_is_refused_with_a_sentence(fields: int, files: int, server: Server) -> None:
    parts: Any = [(f"f{number}", (None, "1")) for number in range(fields)]
    parts += [(f"f{number}", ("a.jpg", b"1", "image/jpeg")) for number in range(files)]
    answer = httpx.post(f"{server.url}/predict", files=parts)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The form cannot be read.")


def opened(server: Server, path: str = "/ws/predict?store=0", source: str = "127.0.0.1") -> ClientConnection:
    return connect(
        server.url.replace("http:", "ws:") + path, open_timeout=WAIT_S, proxy=None, source_address=(source, 0)
    )


def begin(client: ClientConnection, data: bytes, opcode: Opcode = Opcode.BINARY) -> None:
    """Send a part of a message that is not its last."""
    client.socket.sendall(Frame(opcode, data, fin=False).serialize(mask=True))


@pytest.mark.parametrize("path", ["/ws/predict", "/ws/live"])
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"\x82", id="half a head"),
        pytest.param(b"\x82\xfe\x10\x00mask" + b"x" * 100, id="half a frame"),
        pytest.param(Frame(Opcode.BINARY, b"x", fin=False).serialize(mask=True), id="one frame of several"),
    ],
)
def test_message_that_does_not_end_ends_the_connection(path: str, begun: bytes, server: Server) -> None:
    started = time.monotonic()
    with opened(server, path) as client:
        client.socket.sendall(begun)
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    assert closed.value.rcvd.reason.startswith("The body did not arrive within 1 seconds.")
    assert time.monotonic() - started >= TIMEOUT_S * 0.9


def trickle(client: ClientConnection) -> None:
    """Send one piece of a message after the other, each in time, as long as somebody takes them."""
    while True:
        # When nobody takes them any more, why is in what was received before.
        with contextlib.suppress(OSError):
            begin(client, b"x", Opcode.CONT)
        with contextlib.suppress(TimeoutError):
            client.recv(TIMEOUT_S / 10)


def test_trickling_message_has_one_time_limit_for_all_of_it(server: Server) -> None:
    with opened(server) as client:
        begin(client, b"x")
        with pytest.raises(ConnectionClosedError) as closed:
            trickle(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_socket_between_messages_may_wait_as_long_as_it_likes(server: Server, chelsea: bytes) -> None:
    with opened(server) as client:
        client.send(chelsea)
        assert "prediction" in str(client.recv(WAIT_S))
        with pytest.raises(TimeoutError):
            client.recv(TIMEOUT_S * 1.5)
        client.send(chelsea)
        assert "prediction" in str(client.recv(WAIT_S))


def test_bodies_and_messages_share_one_budget(small_server: Server, chelsea: bytes) -> None:
    """1.5 MB: 0.9 in an unfinished message leave room for 0.6 of others, and none for 0.7."""
    with opened(small_server, source="127.0.0.2") as holder:
        begin(holder, b"x" * 900_000)
        refused = refused_body(small_server)
        assert refused.headers["Retry-After"] == "1"
        assert "fill its memory" in refused.json()["error"]
        with opened(small_server) as other:
            other.send(b"x" * 700_000)
            with pytest.raises(ConnectionClosedError) as closed:
                other.recv(WAIT_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "fill its memory" in closed.value.rcvd.reason) == (1013, True)
        # Its bytes are let go with its connection, and then there is room for a small photo, and still none for 0.7 MB.
        assert until(lambda: send(small_server, chelsea) == 200)
        assert send(small_server, b"x" * 700_000) == 503
    assert until(lambda: send(small_server, b"x" * 700_000) == 400)


def send(server: Server, body: bytes) -> int:
    return httpx.post(f"{server.url}/predict?store=0", content=body, headers=JPEG, timeout=WAIT_S).status_code


def refused_body(server: Server) -> httpx.Response:
    """The answer to a body that there is no room for, once what others have sent is read."""
    answers: list[httpx.Response] = []

    def is_refused() -> bool:
        answers.append(httpx.post(f"{server.url}/predict", content=b"x" * 700_000, headers=JPEG))
        return answers[-1].status_code == 503

    assert until(is_refused)
    return answers[-1]


def until(holds: Any) -> bool:
    """Whether something comes to hold."""
    ended = time.monotonic() + WAIT_S
    while not (held := holds()) and time.monotonic() < ended:
        pass
    return bool(held)


@pytest.mark.parametrize("path", ["/ws/predict?store=0", "/ws/live"])
def test_answered_messages_leave_the_budget(path: str, small_server: Server) -> None:
    """Many times the budget, one message after the other."""
    with opened(small_server, path) as client:
        for _ in range(12):
            client.send(b"x" * 400_000)
            assert "error" in str(client.recv(WAIT_S))
            client.send("x" * 400_000)
            assert "binary message" in str(client.recv(WAIT_S))


def test_text_that_is_none_is_told_so_and_is_no_fault_of_the_server(server: Server) -> None:
    with opened(server) as client:
        client.socket.sendall(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True))
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1007,
        "The text is not UTF-8. Send photos as binary messages.",
    )
    assert "Traceback" not in server.output


def test_foreign_host_is_a_line_of_the_log_and_no_fault_of_the_server(server: Server) -> None:
    assert httpx.get(f"{server.url}/history/", headers={"Host": "evil.example"}).status_code == 400
    assert until(lambda: any("evil.example" in line for line in server.lines))
    assert [line for line in server.lines if "evil.example" in line and " WARNING " not in line] == []
    assert "Traceback" not in server.output


@pytest.mark.parametrize("charset", ["idna", "hex", "undefined", "ascii", "latin-1", "none", "utf-8"])
def test_charset_of_a_content_type_changes_nothing(charset: str, server: Server, chelsea: bytes) -> None:
    request = httpx.Request("POST", f"{server.url}/predict?store=0", files={"image": ("\u0444.jpg", chelsea)})
    request.headers["Content-Type"] += f"; charset={charset}"
    with httpx.Client(timeout=WAIT_S) as client:
        assert client.send(request).status_code == 200
        url, headers = f"{server.url}/history/?class=%ff%d1%84", {"Content-Type": f"text/plain; charset={charset}"}
        assert client.get(url, headers=headers).status_code == 200


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def refused(server: Server, path: str, **headers: str) -> bytes:
    """The whole answer to a body that is announced and never sent, until the server hangs up."""
    lines = {"Host": "127.0.0.1", "Content-Type": "multipart/form-data; boundary=a", "Content-Length": "21000000"}
    with connection(server) as opened:
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
        opened.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
        return all_of(opened)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The body is too large: at most 20,000,000 bytes are accepted. Send a smaller photo."),
        ("ru", "20,000,000 байт"),
    ],
)
def test_form_of_a_browser_with_too_large_a_photo_is_answered_by_a_page(
    language: str, sentence: str, server: Server
) -> None:
    answer = refused(server, "/", **BROWSER, **{"Accept-Language": language}).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 413 ")
    assert "\r\nconnection: close\r\n" in head.lower() + "\r\n"
    assert "content-type: text/html; charset=utf-8" in head.lower()
    assert "content-security-policy: " in head.lower()
    assert f'<html lang="{language}">' in body
    assert sentence in body
    assert 'href="/"' in body


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/predict", BROWSER["Accept"]),
        ("/api/predict", BROWSER["Accept"]),
        ("/v2/models/m/infer", BROWSER["Accept"]),
        ("/", "*/*"),
        ("/", "application/json"),
        ("/", "application/json, text/html;q=0.5"),
    ],
)
def test_program_with_too_large_a_body_is_answered_in_json(path: str, accept: str, server: Server) -> None:
    head, _, body = refused(server, path, Accept=accept).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()
    assert body.startswith(b'{"error":"The body is too large: ')


def test_chunked_form_of_a_browser_is_answered_by_a_page_where_it_passes_the_limit(small_server: Server) -> None:
    parts = (b"x" * 100_000 for _ in range(11))
    answer = httpx.post(
        f"{small_server.url}/", content=parts, headers={**BROWSER, "Content-Type": "multipart/form-data; boundary=a"}
    )
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
    assert "at most 1,000,000 bytes are accepted" in answer.text
    assert answer.text.startswith("<!doctype html>")


def test_form_of_another_site_is_answered_by_a_page(server: Server) -> None:
    headers = {**BROWSER, "Sec-Fetch-Site": "cross-site"}
    answer = httpx.post(f"{server.url}/", data={"sample": "1"}, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "The request comes from a page of another site." in answer.text
