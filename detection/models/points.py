"""Operating points: thresholds per class of a model's version, chosen from what people said or annotated."""

from functools import lru_cache

from django.db import models

from detection.inference.types import Thresholds


class OperatingPoint(models.Model):
    """Named, numbered set of thresholds of a model's version; at most one of a version is active.

    Never changed but for its activation, and never deleted: detections name it. `threshold` is that of all classes
    without a row of their own.
    """

    NAME_LENGTH = 64

    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=NAME_LENGTH)
    number = models.PositiveIntegerField(help_text="Of the points of this name.")
    goal = models.CharField(max_length=100, help_text="What its thresholds were chosen for.")
    source = models.CharField(max_length=200, help_text="Verdicts, or the annotated photos, that it was chosen from.")
    threshold = models.FloatField(help_text="Of classes without a threshold of their own.")
    is_active = models.BooleanField(default=False, editable=False)
    replaced = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The point that was active before it; none for the model's own threshold.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["model_name", "model_version", "name", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_name", "model_version", "name", "number"], name="one_row_per_operating_point"
            ),
            models.UniqueConstraint(
                fields=["model_name", "model_version"],
                condition=models.Q(is_active=True),
                name="one_active_operating_point",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"

    @property
    def model(self) -> str:
        """NAME@VERSION of the model; the name alone where it has no version."""
        return f"{self.model_name}@{self.model_version}".rstrip("@")

    def thresholds(self) -> Thresholds:
        """Return its thresholds by class."""
        rows = self.classes.exclude(class_name="").values_list("class_name", "threshold")
        return Thresholds(self.threshold, dict(rows))


class PointClass(models.Model):
    """Threshold of one class in an operating point, and the figures behind it; the empty name: all other classes.

    is_reached: whether the goal could be reached; if not, the threshold is the model's own. precision, recall: shares
    at the threshold, with their 95 % intervals; null where nothing was judged. judged, right: objects above it that
    were judged, and that were right.
    """

    point = models.ForeignKey(OperatingPoint, on_delete=models.CASCADE, related_name="classes", db_index=False)
    class_name = models.CharField(max_length=100, blank=True)
    threshold = models.FloatField()
    is_reached = models.BooleanField()
    precision = models.FloatField(null=True)
    precision_low = models.FloatField(null=True)
    precision_high = models.FloatField(null=True)
    recall = models.FloatField(null=True)
    recall_low = models.FloatField(null=True)
    recall_high = models.FloatField(null=True)
    judged = models.PositiveIntegerField()
    right = models.PositiveIntegerField()

    class Meta:
        ordering = ["class_name"]
        constraints = [models.UniqueConstraint(fields=["point", "class_name"], name="one_row_per_class_of_a_point")]

    def __str__(self) -> str:
        return f"{self.class_name or 'the rest'} {self.threshold:g}"


@lru_cache(256)
def known_point(pk: int) -> tuple[str, Thresholds]:
    """Return name and thresholds of a point, which never change, from memory after the first time."""
    row = OperatingPoint.objects.get(pk=pk)
    return str(row), row.thresholds()
