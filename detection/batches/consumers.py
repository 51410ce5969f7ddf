"""WebSocket consumer of a batch: sends its changes to every open page."""

import contextlib
from typing import Any, cast
from uuid import UUID

from channels import DEFAULT_CHANNEL_LAYER
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from redis.exceptions import RedisError

from detection.accounts.access import ANYBODY, Caller
from detection.asgi.consumer import JsonConsumer
from detection.batches import notifications
from detection.batches.notifications import group_of
from detection.batches.selectors import visible_batches
from detection.errors import NOT_FOUND, CloseCode, error_body, headers_for
from detection.web.serializers import to_json

BATCH_SOCKETS = "/ws/batches/"
_NO_UPDATES = "There is no news for now: Redis does not answer. Ask for the batch itself, and connect again later."
_UNAVAILABLE = 503


class BatchConsumer(JsonConsumer):
    """Consumer of `/ws/batches/<id>`: each message is the JSON of one changed item, as the API lists it.

    The connection only sends changes from now on; clients read the present state from the API. Without a reachable
    Redis, where that connects the processes, connections are refused (503), and open ones get the close code "try again
    later".
    """

    channel_layer_alias = DEFAULT_CHANNEL_LAYER
    group: str | None = None
    _is_refused = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as long as the channel layer works."""
        try:
            await super().__call__(scope, receive, send)
        except RedisError as error:
            notifications.channel_layer.mark_unreachable(error)
            if not self._is_refused:
                await self.close(CloseCode.TRY_AGAIN_LATER)

    async def connect(self) -> None:
        """Accept; close with an error message if there is no such batch."""
        batch_uuid = _uuid(self.scope["path"].removeprefix(BATCH_SOCKETS))
        if batch_uuid is None or not await _exists(batch_uuid, cast("Caller", self.scope.get("caller", ANYBODY))):
            await self.accept()
            await self.send_body(error_body(NOT_FOUND))
            await self.close(CloseCode.POLICY_VIOLATION)
            return
        group = group_of(batch_uuid)
        try:
            await self.channel_layer.group_add(group, self.channel_name)
        except RedisError as error:
            notifications.channel_layer.mark_unreachable(error)
            await self._refuse_for_now()
        self.group = group
        notifications.channel_layer.mark_reachable()
        await self.accept()

    async def _refuse_for_now(self) -> None:
        """Answer 503 in place of the handshake. Raises StopConsumer."""
        self._is_refused = True
        headers = {"Content-Type": "application/json", **headers_for(_UNAVAILABLE)}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.base_send({"type": "websocket.http.response.start", "status": _UNAVAILABLE, "headers": raw})
        body = to_json(error_body(_NO_UPDATES))
        await self.base_send({"type": "websocket.http.response.body", "body": body, "more_body": False})
        raise StopConsumer

    async def clean_up(self) -> None:
        """Leave the group."""
        if self.group is None:
            return
        # Without Redis there is no group either; its entries expire by themselves.
        with contextlib.suppress(RedisError):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def item_changed(self, event: dict[str, Any]) -> None:
        """Send a notification on."""
        await self.send(text_data=event["text"])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@database_sync_to_async
def _exists(batch_uuid: UUID, caller: Caller) -> bool:
    return visible_batches(caller).filter(uuid=batch_uuid).exists()
