"""Batches of photos and their items."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from detection.models.detections import Detection


class Batch(models.Model):
    """Batch of photos that were sent together; its items record which of them came in."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    threshold = models.FloatField(help_text="Objects with a probability above this are reported.")
    # Servers of the version before, which may run beside this one, always answer by `threshold`.
    is_threshold_given = models.BooleanField(
        default=True, db_default=True, help_text="By the caller; if not, an active operating point decides."
    )
    model_name = models.CharField(
        max_length=200, blank=True, default="", help_text="The model that answers; empty: the default of the moment."
    )
    tiles = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        help_text="In how many tiles a side each photo is looked at beside the whole; empty: as the model's card says.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="batches",
        help_text="Who listed the photos; nobody where ACCESS=open.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["-created_at", "-id"], name="batch_newest")]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("batch-page", args=[self.uuid])


class BatchItem(models.Model):
    """Photo of a batch. It waits until its file has come in and was answered, whatever happens to the server.

    An item that is done has its detection; later there may be none, after a deletion.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="Place in the batch, from 0 on.")
    name = models.CharField(max_length=255, help_text="The caller's file name, perhaps with folders: text only.")
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField("SHA-256 of the upload", max_length=64, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True, help_text="Why it failed, and what to do.")
    # Servers of the version before, which may run beside this one, leave them out.
    error_code = models.CharField(max_length=50, blank=True, default="", db_default="", editable=False)
    error_params = models.JSONField(null=True, editable=False)
    detection = models.OneToOneField(
        Detection, on_delete=models.SET_NULL, null=True, blank=True, related_name="batch_item"
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="one_item_per_position")]

    def __str__(self) -> str:
        return self.name
