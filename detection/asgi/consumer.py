"""What the WebSockets of this server share: they answer in JSON, and say when they are done with a message."""

from collections.abc import Callable
from typing import Any, cast

from channels.generic.websocket import AsyncWebsocketConsumer

from detection.asgi.memory_budget import LET_GO
from detection.web.serializers import to_json

# Channels gives a consumer no layer under a name that is none of CHANNEL_LAYERS.
_NO_LAYER = ""


class JsonSocket(AsyncWebsocketConsumer):
    """A consumer that lets each message go when it has handled it, and cleans up whichever way its connection ends.

    Channels calls `disconnect` only where the other side's leaving is what it hears of first; a send to someone who has
    left ends the consumer before. It listens to its own connection only, unless it names a channel layer: with one it
    would end with Redis.
    """

    channel_layer_alias = _NO_LAYER

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.clean_up()

    async def clean_up(self) -> None:
        """The connection has ended; once for each."""

    async def websocket_receive(self, message: Any) -> None:
        """Handle a message, then let it go."""
        try:
            await super().websocket_receive(message)
        finally:
            self.handled(message.get("bytes") or message.get("text") or b"")

    def handled(self, data: bytes | str) -> None:
        """A message was handled; who keeps it longer overrides this, and calls `let_go` when it is done."""
        self.let_go(data)

    def let_go(self, data: bytes | str) -> None:
        """A message is not needed any more; its bytes count no longer, where the server counts them."""
        let_go = cast("Callable[[int], None] | None", self.scope.get(LET_GO))
        if let_go is not None:
            let_go(len(data.encode() if isinstance(data, str) else data))

    async def send_body(self, body: dict[str, Any]) -> None:
        """Send an answer."""
        await self.send(text_data=to_json(body).decode())
