"""Webhooks of operators, and the outbox of what they are told."""

import base64
import secrets
import uuid

from django.db import models
from django.utils import timezone

SECRET_PREFIX = "whsec_"  # noqa: S105 (the standard's prefix, not a secret)


def new_secret() -> str:
    """Return a random key of 24 bytes, as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode("ascii")


class Webhook(models.Model):
    """Address that is told of events (`detection/webhooks/`); rows are made in the admin."""

    url = models.CharField(max_length=1000, help_text="https://HOST/PATH, or http:// within an own network.")
    secret = models.CharField(
        max_length=120, default=new_secret, help_text="Key of the signature (HMAC-SHA256), base64 after whsec_."
    )
    on_detection = models.BooleanField("detections", default=False)
    class_names = models.TextField(
        "classes",
        blank=True,
        help_text="Of detections: names of the classes that count, with commas between them; empty: all.",
    )
    min_probability = models.FloatField(
        default=0.0, help_text="Of detections: objects with at least this probability count."
    )
    on_drift = models.BooleanField("drift", default=False)
    on_activation = models.BooleanField("activation of a model", default=False)
    on_overload = models.BooleanField("overload", default=False)
    is_enabled = models.BooleanField("enabled", default=True)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="In a row.")
    problem = models.TextField(blank=True, editable=False, help_text="Of the last attempt that failed.")
    dropped = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text="Events that are lost: too many waited, or too many attempts failed.",
    )
    delivered_at = models.DateTimeField(null=True, editable=False)
    next_at = models.DateTimeField(
        default=timezone.now,
        editable=False,
        help_text="Nothing is sent before it: a process has claimed it, or it failed.",
    )
    overload_told_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """Event in the outbox of one webhook; deleted when it was delivered or given up.

    No foreign key in the database: a detection must not fail since its webhook was deleted meanwhile.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="events", db_constraint=False)
    body = models.TextField(help_text="JSON, sent as it is.")
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["next_at", "pk"]
        indexes = [models.Index(fields=["webhook", "next_at", "id"], name="webhook_event_due")]

    def __str__(self) -> str:
        return f"event {self.uuid}"
