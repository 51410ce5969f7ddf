"""Thread that sends what waits in the outbox; several processes share the work by claiming webhooks.

A webhook is claimed by one statement that moves its `next_at` into the future. A process that is killed holds its claim
no longer than that, and another one sends the event again, under the same id. Events of a webhook are sent one after
the other, the oldest due one first. After a failure the webhook rests, twice as long after each one in a row; after
MAX_FAILURES in a row it is disabled. An event that fails MAX_ATTEMPTS times, while others succeed, is given up.
"""

import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from detection.conf import current
from detection.inference.periodic import PeriodicThread
from detection.models import Webhook, WebhookEvent
from detection.observability import metrics
from detection.webhooks import outbox, signing
from detection.webhooks.delivery import DEADLINE_S, Outcome, post

logger = logging.getLogger(__name__)

EVERY_S = 1.0
MAX_FAILURES = 30
MAX_ATTEMPTS = 12
_THREADS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 3600.0
# A turn begins no event after this time.
_TURN_S = 15.0
# Of one event, with the look-up of the name, which has no deadline.
CLAIM = timedelta(seconds=3 * DEADLINE_S)


@contextmanager
def delivering() -> Iterator[None]:
    """Send while the block runs."""
    worker = Worker()
    worker.start()
    try:
        yield
    finally:
        worker.stop()


class Worker:
    """Periodic thread that looks for due webhooks, and a few threads that send to them."""

    def __init__(self) -> None:
        self._refused = metrics.refused_photos()
        self._thread = PeriodicThread("webhook worker", self._round, EVERY_S)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the events that are being sent."""
        self._thread.stop()

    def _round(self) -> None:
        try:
            self._tell_of_overload()
            run_once()
        finally:
            connection.close()

    def _tell_of_overload(self) -> None:
        refused = metrics.refused_photos()
        if refused > self._refused:
            outbox.overloaded(refused - self._refused)
        self._refused = refused


def run_once() -> None:
    """Send to all webhooks that are due, side by side, for a turn each."""
    if due := _due():
        with ThreadPoolExecutor(min(_THREADS, len(due)), "webhooks") as pool:
            list(pool.map(_turn, due))


def _due() -> list[int]:
    """Return webhooks with an event to send now; deletes events whose webhook was deleted meanwhile."""
    WebhookEvent.objects.filter(~Exists(Webhook.objects.filter(pk=OuterRef("webhook_id")))).delete()
    now = timezone.now()
    events = WebhookEvent.objects.filter(webhook_id=OuterRef("pk"), next_at__lte=now)
    due = Webhook.objects.filter(Exists(events), is_enabled=True, next_at__lte=now)
    return list(due.order_by("next_at").values_list("pk", flat=True))


def _turn(pk: int) -> None:
    try:
        _send_due(pk)
    except Exception:  # one webhook's failure must not keep the others waiting; its claim ends by itself
        logger.exception("Webhook %d could not be worked on.", pk)
    finally:
        connection.close()


def _send_due(pk: int) -> None:
    end_s = time.monotonic() + _TURN_S
    claim = timezone.now() + CLAIM
    is_ours = _claimed(pk, claim, next_at__lte=timezone.now())
    while is_ours and time.monotonic() < end_s:
        webhook = Webhook.objects.get(pk=pk)
        event = WebhookEvent.objects.filter(webhook_id=pk, next_at__lte=timezone.now()).first()
        if event is None or not _send(webhook, event):
            break
        renewed = timezone.now() + CLAIM
        is_ours, claim = _claimed(pk, renewed, next_at=claim), renewed
    # Unless a failure has set another moment.
    Webhook.objects.filter(pk=pk, next_at=claim).update(next_at=timezone.now())


def _claimed(pk: int, until: datetime, **condition: datetime) -> bool:
    """Claim a webhook; return whether it is ours."""
    return bool(Webhook.objects.filter(pk=pk, is_enabled=True, **condition).update(next_at=until))


def _send(webhook: Webhook, event: WebhookEvent) -> bool:
    """Send an event and write down how it went; return whether it was delivered.

    The attempt is counted before: an event that ends its process does not do so for ever.
    """
    WebhookEvent.objects.filter(pk=event.pk).update(attempts=F("attempts") + 1)
    event.attempts += 1
    outcome = _post(webhook, event)
    metrics.series(metrics.WEBHOOK_EVENTS, "delivered" if outcome.is_delivered else "failed").inc()
    if outcome.is_delivered:
        WebhookEvent.objects.filter(pk=event.pk).delete()
        Webhook.objects.filter(pk=webhook.pk).update(failures=0, problem="", delivered_at=timezone.now())
        return True
    _failed(webhook, event, outcome)
    return False


def _post(webhook: Webhook, event: WebhookEvent) -> Outcome:
    body = event.body.encode()
    try:
        signed = signing.headers(webhook.secret, str(event.uuid), int(time.time()), body)
    except ValueError:
        return Outcome("Its secret cannot be used: give it whsec_ and 24 to 64 bytes in base64.")
    return post(webhook.url, body, signed, current.config().webhook_networks)


def _failed(webhook: Webhook, event: WebhookEvent, outcome: Outcome) -> None:
    logger.warning("Webhook %d: attempt %d of event %s failed. %s", webhook.pk, event.attempts, event, outcome.problem)
    failures = webhook.failures + 1
    now = timezone.now()
    values: dict[str, Any] = {"failures": failures, "problem": outcome.problem, "next_at": now + pause(failures)}
    if outcome.is_gone or failures >= MAX_FAILURES:
        logger.error(
            "Webhook %d is disabled after %d failures in a row; its events wait. Look at it in the admin, and enable "
            "it again there. %s",
            webhook.pk,
            failures,
            outcome.problem,
        )
        metrics.series(metrics.WEBHOOK_EVENTS, "disabled").inc()
        values["is_enabled"] = False
    Webhook.objects.filter(pk=webhook.pk).update(**values)
    if event.attempts >= MAX_ATTEMPTS and failures < event.attempts:
        # Others were delivered in between, so it is this one that the receiver does not take.
        WebhookEvent.objects.filter(pk=event.pk).delete()
        Webhook.objects.filter(pk=webhook.pk).update(dropped=F("dropped") + 1)
        logger.error("Event %s is given up after %d attempts.", event.uuid, event.attempts)
        return
    WebhookEvent.objects.filter(pk=event.pk).update(next_at=now + pause(event.attempts))


def pause(failures: int) -> timedelta:
    """Return for how long nothing is sent after so many failures: 5 s, 10 s, ... an hour, and up to a tenth more."""
    seconds = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 20), _LONGEST_PAUSE_S)
    return timedelta(seconds=seconds * (1 + 0.1 * random.random()))  # noqa: S311 (spreads load, hides nothing)
