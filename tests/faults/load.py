"""Clients that send photos to a real server, each as soon as its last one was answered."""

import itertools
import threading

import httpx

from tests.faults.truth import Sent, photo
from tests.support.serving import Server

CLIENTS = 6
WAIT_S = 120


class Load:
    """Sends until the server is gone; what was answered is in `sent`."""

    def __init__(self, server: Server, sent: Sent, seeds: "itertools.count[int]") -> None:
        self._server = server
        self._sent = sent
        self._seeds = seeds
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for_more(self, count: int) -> None:
        """Wait until so many more photos were answered with status 200."""
        with self._changed:
            target = len(self._sent.answered) + count
            assert self._changed.wait_for(lambda: len(self._sent.answered) >= target, WAIT_S), self._server.output

    def wait_for_refusals(self, count: int) -> None:
        """Wait until so many photos were refused in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sent.refused) >= count, WAIT_S), self._server.output

    def join(self) -> None:
        """Wait until all clients have lost the server."""
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        with httpx.Client(base_url=self._server.url, timeout=60, trust_env=False) as client:
            try:
                while True:
                    self._sent.post(client, photo(next(self._seeds)))
                    with self._changed:
                        self._changed.notify_all()
            except httpx.TransportError:
                return
