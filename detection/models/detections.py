"""Photos, detections and their objects.

A detection is never changed after it was written. Objects are kept from a low probability up, so that a threshold can
be moved later without running the network again; what a detection *reports* are the objects above its own threshold.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from detection.inference.tiles.grid import WHOLE
from detection.inference.types import PixelBox, Thresholds
from detection.models.points import OperatingPoint, PointClass, known_point

# The stages of a detection, by the names under which `inference/detector.py` times them.
STAGES = ("queue", "decode", "resize", "inference", "boxes", "record")


class Photo(models.Model):
    """One uploaded photo. Its file, free of EXIF, is kept under the upload's hash (`detection/photos/store.py`)."""

    class Format(models.TextChoices):
        JPEG = "JPEG", "JPEG"
        PNG = "PNG", "PNG"
        WEBP = "WEBP", "WebP"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sha256 = models.CharField("SHA-256 of the upload", max_length=64, db_index=True)
    # Migration 0015 makes an index of it in the database's own SQL: a migration that rebuilds the table must repeat it.
    original_name = models.CharField(
        max_length=255, blank=True, help_text="The caller's file name: text, never a path."
    )
    format = models.CharField(max_length=8, choices=Format.choices)
    width = models.PositiveIntegerField(help_text="Pixels of the upright photo.")
    height = models.PositiveIntegerField(help_text="Pixels of the upright photo.")
    size_bytes = models.PositiveBigIntegerField(help_text="Size of the upload.")
    file = models.CharField(max_length=200, help_text="Name in the photo store.")
    # Nullable: a column without a default is added to a large table at once. Rows of older versions have neither.
    stored_bytes = models.PositiveBigIntegerField(null=True, editable=False, help_text="Size of the stored file.")
    stored_sha256 = models.CharField(  # noqa: DJ001
        "SHA-256 of the stored file", max_length=64, null=True, editable=False
    )
    share_read = models.FloatField(
        null=True, editable=False, help_text="Of a file that was cut off, the share of its rows; null for a whole one."
    )
    brightness = models.FloatField(null=True, editable=False, help_text="Mean of the network's input, 0 to 255.")
    sharpness = models.FloatField(null=True, editable=False, help_text="See inference/photos/appearance.py.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.original_name or f"photo {self.uuid}"


class Detection(models.Model):
    """Objects that one model found in one photo at one time."""

    class Source(models.TextChoices):
        PAGE = "page", _("Page")
        API = "api", "API"
        WEBSOCKET = "websocket", "WebSocket"
        COMMAND = "command", _("Command")
        REDETECT = "redetect", _("Looked at again")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="detections")
    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=64, blank=True, default="")
    model_sha256 = models.CharField("model hash", max_length=64)
    engine = models.CharField(max_length=32)
    device = models.CharField(max_length=64)
    precision = models.CharField(max_length=8)
    # Servers of the version before, which may run beside this one, leave both out.
    tiles = models.CharField(
        max_length=8,
        default=WHOLE,
        db_default=WHOLE,
        help_text="In how many tiles a side the photo was looked at beside the whole, as it was asked for.",
    )
    tile_grid = models.CharField(
        max_length=8, blank=True, default="", db_default="", help_text="Columns and rows of its tiles; empty: none."
    )
    threshold = models.FloatField(
        help_text="Objects above it are reported; with an operating point, those of classes that have no other."
    )
    # Without an index: no list is asked for by it.
    point = models.ForeignKey(
        OperatingPoint,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="detections",
        help_text="Whose thresholds decided what is reported; none where the caller or the model's card did.",
    )
    reported_count = models.PositiveIntegerField(help_text="Objects above the threshold.")
    timings_ms = models.JSONField(default=dict, help_text="Milliseconds per stage.")
    source = models.CharField(max_length=16, choices=Source.choices)
    # The index below serves it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="detections",
        help_text="Who sent the photo; nobody where ACCESS=open.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="detection_newest"),
            models.Index(fields=["source", "-created_at", "-id"], name="detection_source_newest"),
            models.Index(fields=["engine", "-created_at", "-id"], name="detection_engine_newest"),
            models.Index(fields=["owner", "-created_at", "-id"], name="detection_owner_newest"),
            models.Index(fields=["model_name", "-created_at", "-id"], name="detection_name_newest"),
            models.Index(fields=["model_name", "model_version", "-created_at", "-id"], name="detection_model_newest"),
        ]

    def __str__(self) -> str:
        return f"detection {self.uuid}"

    def get_absolute_url(self) -> str:
        return reverse("detection-page", args=[self.uuid])

    @property
    def thresholds(self) -> float | Thresholds:
        """Its threshold, or those of its operating point."""
        return self.threshold if self.point_id is None else known_point(self.point_id)[1]

    @property
    def operating_point(self) -> str | None:
        """NAME@NUMBER of its operating point; None where none decided."""
        return None if self.point_id is None else known_point(self.point_id)[0]

    def thresholds_at(self, threshold: float | None) -> float | Thresholds:
        """Return what a reader asks for: another threshold for all classes, or (None, or its own) its own ones."""
        return self.thresholds if threshold is None or threshold == self.threshold else threshold

    def stages_ms(self) -> list[tuple[str, float]]:
        """Milliseconds of each stage, in the order in which they ran; PostgreSQL keeps no order in JSON."""
        order = {stage: place for place, stage in enumerate(STAGES)}
        return sorted(self.timings_ms.items(), key=lambda stage: order.get(stage[0], len(order)))


class Removal(models.Model):
    """Row of a detection in the trash: deleted in a page, to be restored until it is due
    (`detection/history/trash.py`).
    """

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="removal")
    due_at = models.DateTimeField(db_index=True)
    action = models.ForeignKey(
        "detection.BulkAction",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="removals",
        help_text="That deleted it together with others.",
    )

    def __str__(self) -> str:
        return f"removal of detection {self.detection_id}"


def is_reported_row() -> models.Q:
    """Return the condition of `DetectedObjectQuerySet.reported`, to be combined with others."""
    of_class = PointClass.objects.filter(
        point=models.OuterRef("detection__point"), class_name=models.OuterRef("class_name")
    )
    least = Coalesce(models.Subquery(of_class.values("threshold")[:1]), models.F("detection__threshold"))
    return models.Q(probability__gt=least)


class DetectedObjectQuerySet(models.QuerySet["DetectedObject"]):
    """Objects of detections."""

    def reported(self) -> "DetectedObjectQuerySet":
        """Return the objects that their detections report: those above its threshold (`types.reported`, for rows)."""
        return self.filter(is_reported_row())


class DetectedObject(models.Model):
    """One object of a detection; `rank` 0 is the most probable."""

    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="objects_found")
    rank = models.PositiveSmallIntegerField()
    class_id = models.PositiveIntegerField()
    class_name = models.CharField(max_length=100)
    probability = models.FloatField()
    x = models.PositiveIntegerField()
    y = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    # PostgreSQL has columns `xmin` and `xmax` of its own in every table.
    xmin = models.FloatField(db_column="box_xmin")
    ymin = models.FloatField(db_column="box_ymin")
    xmax = models.FloatField(db_column="box_xmax")
    ymax = models.FloatField(db_column="box_ymax")

    objects = DetectedObjectQuerySet.as_manager()

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["detection", "rank"], name="one_object_per_rank")]
        indexes = [models.Index(fields=["class_name", "probability", "detection"], name="object_class_probability")]

    def __str__(self) -> str:
        return f"{self.class_name} {self.probability}"

    @property
    def box(self) -> PixelBox:
        """Box in pixels of the upright photo."""
        return PixelBox(self.x, self.y, self.width, self.height)

    @property
    def box_xyxy_unit(self) -> tuple[float, float, float, float]:
        """Corners of the box in fractions of the photo."""
        return self.xmin, self.ymin, self.xmax, self.ymax
