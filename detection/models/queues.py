"""Places of photos in the review queues that are not lists of everything (`detection/review/queues/`)."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from detection.models.detections import Detection


class QueuePlace(models.Model):
    """Place of a detection in a queue, and what its reason is made of.

    position: the lowest is first. facts: see the queue. is_done: whether people have said what the queue asks for.
    """

    # The index below serves it.
    queue = models.CharField(max_length=16)
    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="queue_places")
    owner_id = models.BigIntegerField(default=0, help_text="0 for nobody.")
    position = models.FloatField()
    facts = models.JSONField(default=dict)
    is_done = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "detection"], name="once_in_a_queue")]
        indexes = [models.Index(fields=["queue", "is_done", "position", "detection"], name="place_in_queue")]

    def __str__(self) -> str:
        return f"{self.queue} {self.detection_id}"


class QueueProgress(models.Model):
    """Progress through the rows that a queue is filled from. seen: the last primary key. state: see the queue."""

    name = models.CharField(max_length=16, primary_key=True)
    seen = models.BigIntegerField(default=0)
    state = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "queue progress"

    def __str__(self) -> str:
        return f"{self.name} to {self.seen}"


class ReviewClaim(models.Model):
    """Detection that was handed to a reviewer, and to no other one until then."""

    KEPT = timedelta(minutes=15)

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, primary_key=True, related_name="claim")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="review_claims")
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.detection_id} until {self.until}"
