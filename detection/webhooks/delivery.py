"""POST of one webhook message: to an address that was resolved once, within one deadline, redirects not followed."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult

from detection import __version__
from detection.conf.values import Network
from detection.webhooks.addresses import AddressRefusedError, parsed, port_of, resolve

DEADLINE_S = 10.0
GONE = 410
_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of an attempt. problem: why it failed, "" where it did not. is_gone: nothing is to be sent again."""

    problem: str = ""
    is_gone: bool = False

    @property
    def is_delivered(self) -> bool:
        """Return whether the receiver has taken it."""
        return not self.problem


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[Network],
    deadline_s: float = DEADLINE_S,
) -> Outcome:
    """Send a message; blocks for `deadline_s` and a look-up of the name at most. Never raises for what the receiver
    does. The body of its answer is not read.
    """
    try:
        target = parsed(url)
        addresses = resolve(target.hostname or "", port_of(target), allowed)
        status = _status(target, addresses, body, headers, deadline_s)
    except AddressRefusedError as error:
        return Outcome(str(error))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return _outcome(status)


def _outcome(status: int) -> Outcome:
    if status in _OK:
        return Outcome()
    if status in _REDIRECTS:
        return Outcome(f"It answered {status}, a redirect. Redirects are not followed: give the address it leads to.")
    if status == GONE:
        return Outcome(f"It answered {status}, gone: nothing more is sent to it.", is_gone=True)
    return Outcome(f"It answered {status}.")


def _status(
    target: SplitResult, addresses: Sequence[str], body: bytes, headers: Mapping[str, str], deadline_s: float
) -> int:
    """Send and return the status. Raises TimeoutError at the deadline, however slowly bytes come in."""
    end_s = time.monotonic() + deadline_s
    connection = http.client.HTTPConnection(target.hostname or "", port_of(target))
    connection.sock = connected(addresses, port_of(target), min(_CONNECT_S, deadline_s))
    # Timeouts of a socket count for each read alone; a receiver that sends a byte a second would never reach one.
    timer = threading.Timer(max(0.0, end_s - time.monotonic()), _break, [connection])
    timer.start()
    try:
        connection.sock.settimeout(deadline_s)
        if target.scheme == "https":
            secured = ssl.create_default_context().wrap_socket(
                connection.sock, server_hostname=target.hostname, do_handshake_on_connect=False
            )
            connection.sock = secured
            secured.do_handshake()
        sent = {"Content-Type": "application/json", "User-Agent": f"detector/{__version__}", "Connection": "close"}
        path = target._replace(scheme="", netloc="").geturl() or "/"
        connection.request("POST", path, body, {**sent, **headers, "Host": target.netloc})
        with connection.getresponse() as response:
            return response.status
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= end_s:
            raise TimeoutError(f"There was no answer within {deadline_s:g} seconds.") from error
        raise
    finally:
        timer.cancel()
        connection.close()


def connected(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    """Return a connection to the first address that takes one. Raises OSError."""
    for address in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=timeout_s)
    return socket.create_connection((addresses[-1], port), timeout=timeout_s)


def _break(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            # Not the method of ssl.SSLSocket, which drops its session while another thread reads.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
