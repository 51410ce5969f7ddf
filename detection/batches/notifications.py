"""News for the pages that are open, through the channel layer: between processes that is Redis.

They are a courtesy: photos are detected and kept without them, so the server is ready without Redis too. An outage is
said once in the log, and its end.
"""

import logging
import threading
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from detection.batches.states import ItemState
from detection.web.serializers import to_json

logger = logging.getLogger(__name__)


class Line:
    """Whether the channel layer can be reached, as far as anybody has seen. For several threads."""

    def __init__(self) -> None:
        self._is_broken = False
        self._lock = threading.Lock()

    def is_broken(self, error: Exception) -> None:
        """Somebody could not reach it."""
        if self._change(is_broken=True):
            logger.error(
                "Redis does not answer (%s). Open pages hear nothing until it does; photos are detected.", error
            )

    def works(self) -> None:
        """Somebody has reached it."""
        if self._change(is_broken=False):
            logger.warning("Redis answers again.")

    def _change(self, *, is_broken: bool) -> bool:
        with self._lock:
            changes = self._is_broken != is_broken
            self._is_broken = is_broken
        return changes


line = Line()


def tell(group: str, event: dict[str, Any]) -> None:
    """Send an event to all sockets of a group; that this failed goes to the log."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, event)
    except (OSError, RedisError) as error:
        line.is_broken(error)
    else:
        line.works()


def group_of(batch_uuid: UUID) -> str:
    """The name of the channel group of the pages that look at a batch."""
    return f"batch.{batch_uuid}"


def announce(batch_uuid: UUID, state: ItemState) -> None:
    """Tell every page that looks at the batch."""
    tell(group_of(batch_uuid), {"type": "item.changed", "text": to_json(state.as_json()).decode()})
