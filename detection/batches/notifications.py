"""Notifications for open pages, through the channel layer: between processes that is Redis.

They are best effort: photos are detected and stored without them, so the server is ready without Redis too. The
beginning and the end of an outage are logged once.
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


class ChannelLayerState:
    """Availability of the channel layer, by the last attempts. Thread-safe."""

    def __init__(self) -> None:
        self._is_broken = False
        self._lock = threading.Lock()

    def mark_unreachable(self, error: Exception) -> None:
        """Record a failed attempt."""
        if self._change(is_broken=True):
            logger.error(
                "Redis does not answer (%s). Open pages hear nothing until it does; photos are detected.", error
            )

    def mark_reachable(self) -> None:
        """Record a successful attempt."""
        if self._change(is_broken=False):
            logger.warning("Redis answers again.")

    def _change(self, *, is_broken: bool) -> bool:
        with self._lock:
            changes = self._is_broken != is_broken
            self._is_broken = is_broken
        return changes


channel_layer = ChannelLayerState()


def send(group: str, event: dict[str, Any]) -> None:
    """Send an event to all sockets of a group; logs a failure."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, event)
    except (OSError, RedisError) as error:
        channel_layer.mark_unreachable(error)
    else:
        channel_layer.mark_reachable()


def group_of(batch_uuid: UUID) -> str:
    """Return the name of the channel group of a batch's pages."""
    return f"batch.{batch_uuid}"


def notify(batch_uuid: UUID, state: ItemState) -> None:
    """Notify every page of the batch."""
    send(group_of(batch_uuid), {"type": "item.changed", "text": to_json(state.as_json()).decode()})
