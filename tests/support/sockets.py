"""WebSocket to a consumer in this process, for tests that control the engine."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

WAIT_S = 60
Consumer = Callable[..., Awaitable[None]]


class ConsumerSocket:
    """Accepted connection; leaving the block disconnects and waits until the consumer has ended."""

    def __init__(self, consumer: Consumer, path: str, query: bytes = b"", **scope: Any) -> None:
        self._consumer = consumer
        self._scope = {"type": "websocket", "path": path, "query_string": query, "headers": [], **scope}
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> "ConsumerSocket":
        self._running = asyncio.ensure_future(
            self._consumer(self._scope, self._incoming.get, self._outgoing.put),
        )
        await self._incoming.put({"type": "websocket.connect"})
        assert (await self.message())["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._incoming.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._running, WAIT_S)

    async def send(self, message: bytes | str) -> None:
        kind = "bytes" if isinstance(message, bytes) else "text"
        await self._incoming.put({"type": "websocket.receive", kind: message})

    async def message(self) -> dict[str, Any]:
        """Return the next message of the consumer, as an ASGI event."""
        return await asyncio.wait_for(self._outgoing.get(), WAIT_S)

    async def answer(self) -> dict[str, Any]:
        """Return the JSON of the next message."""
        answer: dict[str, Any] = json.loads((await self.message())["text"])
        return answer
