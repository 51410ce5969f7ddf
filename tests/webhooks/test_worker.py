"""How events are sent: retries with one id, pauses, claims of several processes, and the end of dead addresses."""

import base64
import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from detection.conf import Config
from detection.models import Webhook, WebhookEvent
from detection.observability import metrics
from detection.webhooks import outbox, worker
from detection.webhooks.signing import key_of
from tests.support.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(config: Config, settings: Any) -> None:
    settings.DETECTOR = replace(config, webhook_networks=(ipaddress.ip_network("127.0.0.0/8"),))


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def webhook(hook: Receiver, **fields: Any) -> Webhook:
    return Webhook.objects.create(url=hook.url, on_activation=True, **fields)


def run_now() -> None:
    """Let all pauses and claims be over, and send."""
    past = timezone.now() - timedelta(seconds=1)
    Webhook.objects.update(next_at=past)
    WebhookEvent.objects.update(next_at=past)
    worker.run_once()


def test_events_are_sent_signed_and_in_order_and_leave_the_outbox(hook: Receiver) -> None:
    row = webhook(hook)
    for name in "abc":
        outbox.activated(name, "")
    worker.run_once()
    assert [message.event["data"]["model"] for message in hook.messages] == ["a", "b", "c"]
    for message in hook.messages:
        signed = f"{message.id}.{message.headers['webhook-timestamp']}.".encode() + message.body
        expected = base64.b64encode(hmac.new(key_of(row.secret), signed, hashlib.sha256).digest()).decode()
        assert message.headers["webhook-signature"] == f"v1,{expected}"
    assert WebhookEvent.objects.count() == 0
    worker.run_once()
    assert len(hook.messages) == 3


def test_a_retry_has_the_id_of_the_first_attempt_and_comes_later(hook: Receiver) -> None:
    row = webhook(hook)
    hook.statuses = [500, 503]
    outbox.activated("a", "")
    worker.run_once()
    row.refresh_from_db()
    assert (row.failures, row.problem) == (1, "It answered 500.")
    assert timedelta(seconds=3) < row.next_at - timezone.now() < timedelta(seconds=6)
    worker.run_once()
    assert len(hook.messages) == 1
    run_now()
    row.refresh_from_db()
    assert timedelta(seconds=8) < row.next_at - timezone.now() < timedelta(seconds=11)
    run_now()
    row.refresh_from_db()
    assert [message.id for message in hook.messages] == [hook.messages[0].id] * 3
    assert (row.failures, row.problem, WebhookEvent.objects.count()) == (0, "", 0)


def test_pauses_double_up_to_an_hour() -> None:
    seconds = [worker.pause(failures).total_seconds() for failures in (1, 2, 5, 20, 10_000)]
    assert all(least <= found <= 1.1 * least for found, least in zip(seconds, (5, 10, 80, 3600, 3600), strict=True))


def test_a_dead_address_is_disabled_and_said_so(hook: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    hook.status = 500
    row = webhook(hook)
    outbox.activated("a", "")
    for _ in range(worker.MAX_FAILURES + 1):
        run_now()
    row.refresh_from_db()
    assert not row.is_enabled
    assert len(hook.messages) == worker.MAX_FAILURES
    assert [each for each in caplog.records if each.levelno == logging.ERROR and "disabled" in each.message]
    assert WebhookEvent.objects.count() == 1


def test_an_address_that_is_gone_is_disabled_at_once(hook: Receiver) -> None:
    hook.status = 410
    row = webhook(hook)
    outbox.activated("a", "")
    worker.run_once()
    row.refresh_from_db()
    assert (row.is_enabled, row.failures) == (False, 1)


def test_an_event_that_is_never_taken_is_given_up_while_others_are(hook: Receiver) -> None:
    row = webhook(hook)
    outbox.activated("wrong", "")
    for attempt in range(worker.MAX_ATTEMPTS):
        hook.statuses = [400]
        run_now()
        if attempt % 2:
            outbox.activated(f"right {attempt}", "")
            Webhook.objects.update(next_at=timezone.now())
            worker.run_once()
    row.refresh_from_db()
    assert (row.is_enabled, row.dropped, WebhookEvent.objects.count()) == (True, 1, 0)


def test_a_private_address_is_refused_and_said_so(hook: Receiver, config: Config, settings: Any) -> None:
    settings.DETECTOR = config
    row = webhook(hook)
    outbox.activated("a", "")
    worker.run_once()
    row.refresh_from_db()
    assert "WEBHOOK_NETWORKS" in row.problem
    assert hook.messages == []


def test_a_webhook_that_another_process_has_claimed_is_left_to_it(hook: Receiver) -> None:
    row = webhook(hook)
    outbox.activated("a", "")
    Webhook.objects.filter(pk=row.pk).update(next_at=timezone.now() + worker.CLAIM)
    worker._turn(row.pk)
    assert hook.messages == []


def test_a_slow_webhook_does_not_keep_others_waiting(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(drip_s=0.05) as slow:
        slow_row, row = webhook(slow), webhook(hook)
        outbox.activated("a", "")
        worker.run_once()
        hook.wait_for(1)
        slow_row.refresh_from_db()
        row.refresh_from_db()
    assert row.delivered_at is not None
    assert len(slow.messages) == 1
    assert slow_row.delivered_at is None or slow_row.delivered_at > row.delivered_at


def test_events_of_a_webhook_that_was_deleted_go(hook: Receiver) -> None:
    row = webhook(hook)
    outbox.activated("a", "")
    Webhook.objects.filter(pk=row.pk)._raw_delete("default")
    worker.run_once()
    assert WebhookEvent.objects.count() == 0


def test_refused_photos_are_told(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    Webhook.objects.create(url=hook.url, on_overload=True)
    working = worker.Worker()
    monkeypatch.setattr(metrics._OBSERVER, "refused_photos", metrics.refused_photos() + 3)
    working._round()
    assert [message.event["data"] for message in hook.messages] == [{"refused_photos": 3}]


def test_the_admin_adds_a_webhook_and_enables_it_again(admin_client: Client, hook: Receiver) -> None:
    address = reverse("admin:detection_webhook_add")
    given = {"url": "ftp://x/", "secret": "short", "min_probability": "0.5", "on_drift": "on", "is_enabled": "on"}
    refused = admin_client.post(address, given)
    assert "Write https://HOST/PATH" in refused.content.decode()
    assert "24 to 64 bytes" in refused.content.decode()
    given |= {"url": hook.url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    assert admin_client.post(address, given).status_code == 302
    row = Webhook.objects.get()
    Webhook.objects.update(is_enabled=False, failures=30, problem="It answered 500.")
    assert "It answered 500." in admin_client.get(reverse("admin:detection_webhook_changelist")).content.decode()
    change = reverse("admin:detection_webhook_change", args=[row.pk])
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, given).status_code == 302
    row.refresh_from_db()
    assert (row.is_enabled, row.failures, row.problem) == (True, 0, "")
