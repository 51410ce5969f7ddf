"""Raw requests to a real server, and what every answer must be like."""

import contextlib
import http.client
import json
import re
import socket
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from tests.support.serving import Server

WAIT_S = 60
_LATER = 503
_TEXT_OF_UVICORN = b"Invalid HTTP request received."
# Or what the service of 2019 said, which its clients may know.
_SENTENCE = re.compile(r"\S.*[.!?)]|Invalid content", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; status 0 and nothing else where the server closed without one."""

    status: int = 0
    kind: str = ""
    body: bytes = b""


@dataclass
class Seen:
    """How often each status came."""

    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, reply: Reply) -> Reply:
        self.statuses[reply.status] += 1
        return reply

    def has_both(self) -> bool:
        """Whether some were answered and some refused: else nothing was tried."""
        return any(200 <= status < 300 for status in self.statuses) and any(
            400 <= status < 500 for status in self.statuses
        )


def address_of(server: Server) -> tuple[str, int]:
    url = urlsplit(server.url)
    return str(url.hostname), int(url.port or 0)


def exchange(server: Server, request: bytes) -> Reply:
    """Send bytes and read the first answer; the server closes, or is closed. Raises TimeoutError when neither comes."""
    with socket.create_connection(address_of(server), timeout=WAIT_S) as opened:
        # It may have answered and closed before it has read everything.
        with contextlib.suppress(ConnectionError):
            opened.sendall(request)
        answer = http.client.HTTPResponse(opened, method=request.split(b" ", 1)[0].decode("latin-1"))
        try:
            answer.begin()
            return Reply(answer.status, answer.getheader("Content-Type", ""), answer.read())
        except (http.client.BadStatusLine, ConnectionError):
            return Reply()


def request_bytes(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    """A request as it travels; without a Host among its headers it gets the right one."""
    names = {name.lower() for name, _ in headers}
    given = [] if b"host" in names else [(b"Host", b"127.0.0.1")]
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    lines += [b"%s: %s" % pair for pair in [*given, *headers, (b"Connection", b"close")]]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def check(reply: Reply, *, is_page: bool = False) -> None:
    """No answer is a failure of the server, and a refusal says why."""
    assert reply.status < 500 or reply.status == _LATER, reply
    if reply.status < 400 or not reply.body:
        return
    if reply.kind.startswith("application/json"):
        assert _SENTENCE.fullmatch(json.loads(reply.body)["error"]), reply
    else:
        assert reply.body == _TEXT_OF_UVICORN or (is_page and reply.kind.startswith("text/html")), reply


def check_server(server: Server, photo: bytes) -> None:
    """It lives, and answers a right request."""
    headers = [(b"Content-Type", b"image/jpeg"), (b"Content-Length", b"%d" % len(photo))]
    reply = exchange(server, request_bytes("POST", b"/predict?store=0", headers, photo))
    assert (reply.status, list(json.loads(reply.body))) == (200, ["prediction"]), (reply, server.output[-4000:])


def complaints(server: Server) -> list[str]:
    """What the server's log says of faults of its own."""
    return [line for line in server.lines if " ERROR " in line or " CRITICAL " in line or "Traceback" in line]


def memory_bytes(server: Server) -> int:
    """The server's resident set."""
    return int(psutil.Process(server.process.pid).memory_info().rss)
