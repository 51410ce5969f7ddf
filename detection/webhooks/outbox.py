"""Outbox of webhooks: events become rows in the transaction of what they tell, and are sent later (`worker.py`)."""

import json
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from detection.inference.types import is_reported
from detection.models import DetectedObject, Detection, Webhook, WebhookEvent

logger = logging.getLogger(__name__)

# More do not wait for one webhook: the newer ones are dropped, and counted in its row.
MAX_WAITING = 10_000
_OVERLOAD_EVERY = timedelta(minutes=10)
_KNOWN_FOR_S = 5.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """Webhook that is told of detections: of objects of some classes (of all if empty) from a probability up."""

    webhook_id: int
    class_names: frozenset[str]
    min_probability: float

    def wants(self, found: DetectedObject) -> bool:
        """Return whether an object counts."""
        is_of_class = not self.class_names or found.class_name in self.class_names
        return is_of_class and found.probability >= self.min_probability


class _Subscriptions:
    """Subscriptions to detections, asked for every 5 seconds at most: a change of a webhook counts by then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._found: tuple[Subscription, ...] = ()

    def forget(self) -> None:
        """Ask the database the next time."""
        self._asked_s = float("-inf")

    def current(self) -> tuple[Subscription, ...]:
        """Return the subscriptions; one query if they are too old."""
        with self._lock:
            if time.monotonic() - self._asked_s > _KNOWN_FOR_S:
                self._found = tuple(_subscriptions())
                self._asked_s = time.monotonic()
            return self._found


_subscribed = _Subscriptions()


def forget_subscriptions(**_sent: Any) -> None:
    """Forget the cached subscriptions of this process."""
    _subscribed.forget()


post_save.connect(forget_subscriptions, sender=Webhook)
post_delete.connect(forget_subscriptions, sender=Webhook)


def _subscriptions() -> Iterable[Subscription]:
    rows = Webhook.objects.filter(is_enabled=True, on_detection=True)
    for pk, names, least in rows.values_list("pk", "class_names", "min_probability"):
        yield Subscription(pk, frozenset(filter(None, map(str.strip, names.split(",")))), least)


def detected(detections: Sequence[Detection], objects: Iterable[DetectedObject]) -> None:
    """Write the events of new detections, within their transaction. objects: all of theirs."""
    if not (subscribed := _subscribed.current()):
        return
    reported: dict[int, list[DetectedObject]] = {each.pk: [] for each in detections}
    thresholds = {each.pk: each.thresholds for each in detections}
    for found in objects:
        if is_reported(found, thresholds[found.detection_id]):
            reported[found.detection_id].append(found)
    events = []
    for subscription in subscribed:
        for detection in detections:
            if wanted := [found for found in reported[detection.pk] if subscription.wants(found)]:
                body = _body("detection.created", _detection(detection, wanted), detection.created_at)
                events.append(WebhookEvent(webhook_id=subscription.webhook_id, body=body))
    _add(events)


def drift_found(data: dict[str, Any]) -> None:
    """Write the events of a day that differs from its reference, within the transaction that says so."""
    _tell(Q(on_drift=True), "drift.found", data)


def activated(model: str, replaced: str) -> None:
    """Write the events of an activation, within its transaction. NAME@VERSION each; "" for that of MODEL_PREFIX."""
    _tell(Q(on_activation=True), "model.activated", {"model": model, "replaced": replaced})


def overloaded(refused: int) -> None:
    """Tell that photos were refused; each webhook is told by one process, and every ten minutes at most."""
    now = timezone.now()
    for pk in Webhook.objects.filter(is_enabled=True, on_overload=True).values_list("pk", flat=True):
        is_due = Q(overload_told_at=None) | Q(overload_told_at__lte=now - _OVERLOAD_EVERY)
        if Webhook.objects.filter(is_due, pk=pk).update(overload_told_at=now):
            _tell(Q(pk=pk), "service.overloaded", {"refused_photos": refused})


def _tell(wanted: Q, kind: str, data: dict[str, Any]) -> None:
    body = _body(kind, data, timezone.now())
    pks = Webhook.objects.filter(wanted, is_enabled=True).values_list("pk", flat=True)
    _add([WebhookEvent(webhook_id=pk, body=body) for pk in pks])


def _add(events: Sequence[WebhookEvent]) -> None:
    """Insert events, as many as there is room for."""
    kept: list[WebhookEvent] = []
    for pk in {event.webhook_id for event in events}:
        own = [event for event in events if event.webhook_id == pk]
        # The count ends where there is no room, so it costs little at any length.
        room = MAX_WAITING - WebhookEvent.objects.filter(webhook_id=pk).order_by()[:MAX_WAITING].count()
        kept += own[:room]
        if dropped := len(own) - len(own[:room]):
            logger.warning("%d events for webhook %d were dropped: %d wait already.", dropped, pk, MAX_WAITING)
            Webhook.objects.filter(pk=pk).update(dropped=F("dropped") + dropped)
    WebhookEvent.objects.bulk_create(kept)


def _body(kind: str, data: dict[str, Any], moment: datetime) -> str:
    return json.dumps({"type": kind, "timestamp": moment.astimezone(UTC).isoformat(), "data": data})


def _detection(detection: Detection, objects: Sequence[DetectedObject]) -> dict[str, Any]:
    version = f"@{detection.model_version}" if detection.model_version else ""
    return {
        "id": str(detection.uuid),
        "model": f"{detection.model_name}{version}",
        "source": detection.source,
        "objects": [
            {
                "class": found.class_name,
                "probability": round(found.probability, 4),
                "box": {"x": found.x, "y": found.y, "width": found.width, "height": found.height},
            }
            for found in objects
        ],
    }
