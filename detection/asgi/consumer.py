"""Base of the WebSocket consumers: JSON responses, and release of processed messages."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from detection.accounts.access import ANYBODY, caller_of_socket
from detection.asgi.memory_budget import RELEASE
from detection.errors import CloseCode, error_body
from detection.web.serializers import to_json

# Channels gives a consumer no layer under a name that is missing in CHANNEL_LAYERS.
_NO_LAYER = ""
_CHECK_EVERY_S = 5.0
_LOGGED_OUT = "You are logged out, or your token or account was closed. Log in again, or send another token."


class JsonConsumer(AsyncWebsocketConsumer):
    """Consumer that releases each message after its handler, and cleans up however its connection ends.

    Channels calls `disconnect` only where it receives the disconnect first; a send to a closed connection ends the
    consumer before. It listens to its own connection only, unless it names a channel layer: with one it
    would end with Redis.
    """

    channel_layer_alias = _NO_LAYER

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as long as its caller is known."""
        watch = None
        if scope.get("caller", ANYBODY) != ANYBODY:
            watch = asyncio.create_task(self._close_when_unknown(scope))
        try:
            await super().__call__(scope, receive, send)
        finally:
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
            await self.clean_up()

    async def _close_when_unknown(self, scope: Any) -> None:
        """Close the connection of a caller who has logged out, or whose token or account was closed."""
        while True:
            await asyncio.sleep(_CHECK_EVERY_S)
            try:
                is_known = await caller_of_socket(scope) is not None
            except DatabaseError:
                continue
            if not is_known:
                await self.send_body(error_body(_LOGGED_OUT))
                await self.close(CloseCode.POLICY_VIOLATION)
                return

    async def clean_up(self) -> None:
        """Clean up after the connection; called once for each."""

    async def websocket_receive(self, message: Any) -> None:
        """Handle a message, then release it."""
        try:
            await super().websocket_receive(message)
        finally:
            self.handled(message.get("bytes") or message.get("text") or b"")

    def handled(self, data: bytes | str) -> None:
        """Release a message after its handler; a consumer that keeps it longer overrides this, and calls `release`
        later.
        """
        self.release(data)

    def release(self, data: bytes | str) -> None:
        """Release a message; its bytes no longer count in the memory budget, where the server has one."""
        release = cast("Callable[[int], None] | None", self.scope.get(RELEASE))
        if release is not None:
            release(len(data.encode() if isinstance(data, str) else data))

    async def send_body(self, body: dict[str, Any]) -> None:
        """Send a JSON response."""
        await self.send(text_data=to_json(body).decode())
