"""Albums: detections that people put together, and searches that they kept."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from detection.models.detections import Detection


class Album(models.Model):
    """Named set of detections: those that were put into it, or, with a query, those that a search finds.

    query: the filters of the gallery's address, as a query string; empty for an album of chosen photos.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    query = models.TextField(blank=True, default="", help_text="Filters of a saved view; empty: chosen photos.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="albums",
        help_text="Who made it; nobody where ACCESS=open.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["owner", "name"], name="album_owner_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('history')}?{self.query or f'album={self.uuid}'}"


class AlbumPhoto(models.Model):
    """Detection in an album."""

    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="photos", db_index=False)
    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="album_photos")

    class Meta:
        verbose_name = _("photo of an album")
        verbose_name_plural = _("photos of albums")
        constraints = [models.UniqueConstraint(fields=["album", "detection"], name="once_in_an_album")]

    def __str__(self) -> str:
        return f"{self.detection_id} in {self.album_id}"


class BulkAction(models.Model):
    """Action on many detections that a server carries out piece by piece, whoever looks on.

    selection, params: see `gallery/selection.py` and `gallery/actions.py`. done_id: the primary key of the last
    detection that is done; all before it are, too. lease_until: until then the server that works on it counts as alive.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16)
    selection = models.JSONField()
    params = models.JSONField(default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="bulk_actions"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    done_id = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(state="running"), name="action_running"),
            models.Index(fields=["owner", "-created_at"], name="action_owner_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.total}"
