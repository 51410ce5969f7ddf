"""HTTP servers of the tests, on the loopback interface."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _nothing() -> None:
    """Let requests end by themselves."""


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler],
    *,
    port: int = 0,
    end: Callable[[], None] = _nothing,
    waits_for_requests: bool = True,
) -> Iterator[str]:
    """Serve until the block ends; yield the address. port: 0 for a free one; end: called first at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = not waits_for_requests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        end()
        server.shutdown()
        thread.join()
        server.server_close()
