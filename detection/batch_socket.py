"""How a batch goes on, over a WebSocket, to every page that looks at it."""

from typing import Any, cast
from uuid import UUID

from channels.db import database_sync_to_async

from detection.access import ANYBODY, Caller, visible_to
from detection.batches import group_of
from detection.errors import NOT_FOUND, error_body
from detection.json_socket import JsonSocket
from detection.models import Batch

BATCH_SOCKETS = "/ws/batches/"
_POLICY_VIOLATION = 1008


class BatchConsumer(JsonSocket):
    """`/ws/batches/<id>`: each message is the JSON of one item that has changed, as the API lists it.

    The connection only tells what happens from now on; who has connected asks the API for what there is.
    """

    group: str | None = None

    async def connect(self) -> None:
        """Accept; an id without a batch is answered with a sentence, and the end."""
        batch_uuid = _uuid(self.scope["path"].removeprefix(BATCH_SOCKETS))
        if batch_uuid is None or not await _exists(batch_uuid, cast("Caller", self.scope.get("caller", ANYBODY))):
            await self.accept()
            await self.send_body(error_body(NOT_FOUND))
            await self.close(_POLICY_VIOLATION)
            return
        self.group = group_of(batch_uuid)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def clean_up(self) -> None:
        """Leave the group."""
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def item_changed(self, event: dict[str, Any]) -> None:
        """Pass an announcement on."""
        await self.send(text_data=event["text"])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@database_sync_to_async
def _exists(batch_uuid: UUID, caller: Caller) -> bool:
    return visible_to(caller, Batch.objects.filter(uuid=batch_uuid)).exists()
