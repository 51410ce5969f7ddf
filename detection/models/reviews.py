"""Reviews, their steps and verdicts: people's corrections of a detection and its objects."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from detection.inference.types import PixelBox
from detection.models.detections import DetectedObject, Detection


class Review(models.Model):
    """Progress of a detection's review. One without a row was never opened.

    version: the number of steps so far; a change based on another one is a conflict with a colleague's.
    is_blind: it was finished before the model's boxes were shown, and nothing was said since.
    """

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="review")
    version = models.PositiveIntegerField(default=0)
    is_reviewed = models.BooleanField(default=False)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewer_name = models.CharField(max_length=150, blank=True)
    # Servers of the version before, which may run beside this one, leave it out.
    is_blind = models.BooleanField(default=False, db_default=False)

    class Meta:
        # Few reviews are blind, and so are its rows.
        indexes = [models.Index(fields=["detection"], condition=models.Q(is_blind=True), name="review_blind")]

    def __str__(self) -> str:
        return f"review of {self.detection_id}"


class Verdict(models.Model):
    """A person's verdict at one step of a review. Rows are only ever added: the newest one of an object is in force.

    found: the model's object; added_number: the drawn object. A row about neither is
    about the whole detection. class_name and box: of the object from then on, also where they only repeat the model's.
    """

    class Kind(models.TextChoices):
        CONFIRMED = "confirmed", _("Confirmed")
        REJECTED = "rejected", _("Rejected")
        RELABELLED = "relabelled", _("Relabelled")
        CORRECTED = "corrected", _("Corrected")
        ADDED = "added", _("Added")
        CLEARED = "cleared", _("Cleared")
        REVIEWED = "reviewed", _("Reviewed")
        REOPENED = "reopened", _("Reopened")

    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="verdicts", db_index=False)
    step = models.PositiveIntegerField(help_text="The version of the review that it made.")
    found = models.ForeignKey(DetectedObject, on_delete=models.CASCADE, null=True, blank=True, related_name="verdicts")
    added_number = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    class_name = models.CharField(max_length=100, blank=True)
    x = models.PositiveIntegerField(default=0)
    y = models.PositiveIntegerField(default=0)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    is_blind = models.BooleanField(
        default=False, db_default=False, help_text="Said before the model's boxes were shown."
    )
    undoes = models.PositiveIntegerField(null=True, blank=True, help_text="The step that it took back.")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="verdicts"
    )
    reviewer_name = models.CharField(max_length=150, blank=True, help_text="Also when the account is gone.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["step", "id"]
        indexes = [
            models.Index(fields=["detection", "step"], name="verdict_steps"),
            models.Index(fields=["class_name", "detection"], name="verdict_class"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.class_name}".rstrip()

    @property
    def box(self) -> PixelBox:
        """Box in pixels of the upright photo."""
        return PixelBox(self.x, self.y, self.width, self.height)


class SentStep(models.Model):
    """A step that was sent under an idempotency key, so that sending it again writes nothing and is answered alike.

    digest: SHA-256 of the caller and the key; content: SHA-256 of what was sent; step: the version that it made.
    """

    # Longer than a reviewer is away from the network. A step that comes later still writes nothing twice: its version
    # is no longer the newest.
    KEPT = timedelta(days=30)

    digest = models.CharField(max_length=64, primary_key=True)
    content = models.CharField(max_length=64)
    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="sent_steps")
    step = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"step {self.step} of {self.detection_id}"


class SecondOpinion(models.Model):
    """A second reviewer's classes for the objects that a model reported in a reviewed photo, given without seeing the
    first one's. They change nothing of the review.

    classes: by rank of the object, the model's class, the first reviewer's at that time and the second one's; empty
    where there is no object.
    """

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="second_opinion")
    first_name = models.CharField(max_length=150, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="second_opinions"
    )
    reviewer_name = models.CharField(max_length=150, help_text="Also when the account is gone.")
    classes = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"second opinion on {self.detection_id}"
