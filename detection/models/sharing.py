"""Links that show a photo or an album to people without a login, for a time."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from detection.models.albums import Album
from detection.models.detections import Detection


class ShareLink(models.Model):
    """Link to one detection, or to one album of chosen photos (`detection/sharing/service.py`).

    Its secret is in the address alone: who has read the database cannot open a link.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    secret_sha256 = models.CharField("SHA-256 of the secret", max_length=64, unique=True, editable=False)
    detection = models.ForeignKey(
        Detection, on_delete=models.CASCADE, null=True, blank=True, related_name="share_links"
    )
    album = models.ForeignKey(Album, on_delete=models.CASCADE, null=True, blank=True, related_name="share_links")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="share_links",
        help_text="Who made it; nobody where ACCESS=open.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("share link")
        verbose_name_plural = _("share links")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(detection__isnull=True, album__isnull=False)
                | models.Q(detection__isnull=False, album__isnull=True),
                name="share_link_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return f"share link {self.uuid}"

    @property
    def is_open(self) -> bool:
        """Return whether it has neither ended nor been revoked."""
        return self.revoked_at is None and self.ends_at > timezone.now()
