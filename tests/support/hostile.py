"""Clients that a server must survive: bare sockets from any loopback address, which stands for one caller each."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from tests.support.serving import Server

WAIT_S = 30.0
ATTACKER, OTHER = "127.0.0.66", "127.0.0.7"


def connected(server: Server, source: str = "127.0.0.1", *, receive_bytes: int | None = None) -> socket.socket:
    """Return a connection from an address of this machine. receive_bytes: of the system's buffer for what comes."""
    address = urlsplit(server.url)
    opened = socket.socket()
    if receive_bytes is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    opened.settimeout(WAIT_S)
    opened.bind((source, 0))
    opened.connect((address.hostname, address.port))
    return opened


def all_of(opened: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := opened.recv(65536):
            parts.append(part)
    return b"".join(parts)


def flood(opened: socket.socket, pieces: Iterator[bytes], most_bytes: int) -> int:
    """Send pieces until the server does not take them any more, or enough is sent; return how many bytes it took."""
    sent = 0
    for piece in pieces:
        if sent >= most_bytes:
            break
        try:
            opened.sendall(piece)
        except OSError:
            break
        sent += len(piece)
    return sent


def until(holds: Callable[[], bool], seconds: float = WAIT_S) -> bool:
    """Return whether something comes to hold."""
    ended = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < ended:
        time.sleep(0.01)
    return held


def resident_mb(server: Server) -> float:
    """Return the memory that the server's process has now."""
    status = server.status("VmRSS")
    return int(status.split()[0]) / 1024
