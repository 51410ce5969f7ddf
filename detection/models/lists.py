"""Index rows and rollup counters behind lists and dashboards."""

from django.db import models

from detection.models.detections import Detection


class ListEntry(models.Model):
    """Position of a detection in the lists: one row for all its objects, and one for each of their classes: those that
    its model reports, and those that people gave.

    Kept beside the detection (`detection/history/indexing.py`), so that a list of one class finds its page by an index
    among a million detections. class_name: empty in the row for all. lowest: the least probability of the row's objects
    that the model reports, so that a queue in this order stays as it is while it is reviewed. highest: the greatest one
    of those that are there by what people said; 0 where none is, 1 where a person drew one or gave it this class.
    is_reviewed: that of the review. has_rejected, has_changed, has_added: whether people rejected one of these objects,
    gave one another class or box, and drew a missed one.
    """

    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="entries")
    class_name = models.CharField(max_length=100, blank=True)
    owner_id = models.BigIntegerField(default=0, help_text="0 for nobody.")
    source = models.CharField(max_length=16)
    lowest = models.FloatField()
    highest = models.FloatField()
    is_reviewed = models.BooleanField(default=False)
    has_rejected = models.BooleanField(default=False, db_default=False)
    has_changed = models.BooleanField(default=False, db_default=False)
    has_added = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(help_text="That of the detection.")

    class Meta:
        verbose_name_plural = "list entries"
        indexes = [
            models.Index(
                fields=["class_name", "-created_at", "-detection", "highest", "source", "is_reviewed"],
                name="entry_newest",
            ),
            models.Index(
                fields=["class_name", "is_reviewed", "-created_at", "-detection", "highest"], name="entry_review_newest"
            ),
            models.Index(fields=["class_name", "is_reviewed", "lowest", "detection"], name="entry_review_lowest"),
            models.Index(fields=["class_name", "highest", "detection"], name="entry_highest"),
            models.Index(
                fields=["owner_id", "class_name", "is_reviewed", "-created_at", "-detection"], name="entry_owner"
            ),
            # Corrections are rare, and so are their rows.
            *(
                models.Index(
                    fields=["class_name", "-created_at", "-detection"],
                    condition=models.Q(**{f"has_{said}": True}),
                    name=f"entry_{said}",
                )
                for said in ("rejected", "changed", "added")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.class_name or 'all objects'} of {self.detection_id}"


class Tally(models.Model):
    """Rollup counter of the history: how many of something there were on a day, and in a month, so
    that long periods are summed from few rows (`detection/history/counters.py`).

    class_name: of the model's object, or of a drawn one; empty where a row counts photos or scores.
    detail: the twentieth of a score, or the class that an object was relabelled to. day: of the detection, in
    UTC, or the first one of its month. Classes and scores are counted apart, for pairs of them would be many rows.
    """

    class Kind(models.TextChoices):
        PHOTO = "photo"
        EMPTY = "empty"
        OBJECT = "object"
        SCORE = "score"
        CONFIRMED = "confirmed"
        REJECTED = "rejected"
        RELABELLED = "relabelled"
        CORRECTED = "corrected"
        ADDED = "added"

    class Span(models.TextChoices):
        DAY = "day"
        MONTH = "month"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    span = models.CharField(max_length=5, choices=Span.choices)
    day = models.DateField()
    class_name = models.CharField(max_length=100, blank=True)
    detail = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=16)
    model_name = models.CharField(max_length=200)
    owner_id = models.BigIntegerField(default=0, help_text="0 for nobody.")
    count = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "span", "day", "class_name", "detail", "source", "model_name", "owner_id"],
                name="one_tally",
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.kind} in the {self.span} of {self.day}"
