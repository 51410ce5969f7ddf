"""Exports that are read at the same time are made by turns of their readers, a few at once."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.test import RequestFactory

from detection.exports import api
from detection.inference.queues.fair_queue import FairTurns
from detection.web import callers

WAIT_S = 60


class Blocks:
    """Blocks of exports, and how many of them are made at the same time."""

    def __init__(self) -> None:
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def of(self, name: str, count: int) -> Iterator[bytes]:
        for _ in range(count):
            with self._lock:
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            # Long enough that others would begin meanwhile.
            threading.Event().wait(0.02)
            with self._lock:
                self.at_once -= 1
            yield name.encode()


def test_blocks_are_made_by_turns_of_their_readers(monkeypatch: Any) -> None:
    monkeypatch.setattr(api, "_turns", FairTurns(1, 1, 100))
    blocks = Blocks()
    read: dict[str, bytes] = {}

    def reader(name: str, caller: str, count: int) -> threading.Thread:
        request: Any = RequestFactory().get("/")
        request.scope = {}

        async def take() -> None:
            with callers.bound(caller):
                pieces = cast("AsyncIterator[bytes]", api.streamed(request, blocks.of(name, count)))
                read[name] = b"".join([piece async for piece in pieces])

        thread = threading.Thread(target=async_to_sync(take))
        thread.start()
        return thread

    threads = [reader(f"many{number}", "many", 10) for number in range(5)]
    threads.append(reader("one", "one", 5))
    for thread in threads:
        thread.join(WAIT_S)
    assert (blocks.most, read["one"], len(read)) == (1, b"one" * 5, 6)
