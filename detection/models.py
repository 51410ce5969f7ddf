"""What is kept: the photo, the detection that a model made of it, the objects of that detection, batches of photos, and
what people said of the objects.

A detection is never changed after it was written. Objects are kept from a low probability up, so that a threshold can
be moved later without running the network again; what a detection *reports* are the objects above its own threshold.
"""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from detection.inference.types import PixelBox

# The steps of a detection, by the names under which `inference/detector.py` times them.
STAGES = ("queue", "decode", "resize", "inference", "boxes", "record")


class Photo(models.Model):
    """One uploaded photo. Its file, free of EXIF, is kept under the upload's hash (`detection/photo_store.py`)."""

    class Format(models.TextChoices):
        JPEG = "JPEG", "JPEG"
        PNG = "PNG", "PNG"
        WEBP = "WEBP", "WebP"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sha256 = models.CharField("SHA-256 of the upload", max_length=64, db_index=True)
    # Migration 0015 makes an index of it by the database's own words: one that makes the table anew must make it too.
    original_name = models.CharField(
        max_length=255, blank=True, help_text="The caller's file name: text, never a path."
    )
    format = models.CharField(max_length=8, choices=Format.choices)
    width = models.PositiveIntegerField(help_text="Pixels of the upright photo.")
    height = models.PositiveIntegerField(help_text="Pixels of the upright photo.")
    size_bytes = models.PositiveBigIntegerField(help_text="Size of the upload.")
    file = models.CharField(max_length=200, help_text="Name in the photo store.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.original_name or f"photo {self.uuid}"


class Detection(models.Model):
    """What one model found in one photo at one time."""

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
    threshold = models.FloatField(help_text="Objects with a probability above this are reported.")
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

    def stages_ms(self) -> list[tuple[str, float]]:
        """Each stage and its milliseconds, in the order in which they ran; PostgreSQL keeps none in JSON."""
        order = {stage: place for place, stage in enumerate(STAGES)}
        return sorted(self.timings_ms.items(), key=lambda stage: order.get(stage[0], len(order)))


class Removal(models.Model):
    """Somebody has deleted this detection in a page, and may undo it until it is due (`detection/removals.py`)."""

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="removal")
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"removal of detection {self.detection_id}"


class ModelVersion(models.Model):
    """A version of a model in the folder `models` of DATA_DIR; at most one is active and answers by default."""

    NAME_LENGTH, VERSION_LENGTH = 100, 64

    name = models.CharField(max_length=NAME_LENGTH)
    version = models.CharField(max_length=VERSION_LENGTH)
    sha256 = models.CharField("hash", max_length=64)
    folder = models.CharField(max_length=200, help_text="Below the folder `models` of DATA_DIR.")
    is_active = models.BooleanField(default=False, editable=False)
    problem = models.TextField(blank=True, editable=False, help_text="Why a server could not load it.")
    added_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name", "added_at"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_row_per_model_version"),
            models.UniqueConstraint(fields=["is_active"], condition=models.Q(is_active=True), name="one_active_model"),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class ShadowRun(models.Model):
    """What a candidate found in a photo that another model has answered (`detection/shadow.py`); it goes with that."""

    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="shadow_runs")
    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=64, blank=True)
    model_sha256 = models.CharField("model hash", max_length=64)
    threshold = models.FloatField(help_text="Objects with a probability above this are compared.")
    objects_found = models.JSONField(default=list, help_text="Each with class, probability and box in pixels.")
    disagreements = models.PositiveIntegerField(help_text="Objects that one of the two alone has found.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-disagreements", "-pk"]
        indexes = [models.Index(fields=["-disagreements", "-id"], name="shadow_most_disagreement")]
        verbose_name = "comparison with a shadow model"
        verbose_name_plural = "comparisons with shadow models"

    def __str__(self) -> str:
        return f"{self.detection} and {self.model_name}@{self.model_version}"


class ShadowCount(models.Model):
    """One class in one comparison: how many objects both have found, and which of them alone."""

    run = models.ForeignKey(ShadowRun, on_delete=models.CASCADE, related_name="counts")
    class_name = models.CharField(max_length=100)
    matched = models.PositiveIntegerField()
    only_answer = models.PositiveIntegerField()
    only_candidate = models.PositiveIntegerField()
    difference = models.FloatField(help_text="Sum over the matched: the candidate's probability less the answer's.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "class_name"], name="one_count_per_class")]

    def __str__(self) -> str:
        return self.class_name


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

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["detection", "rank"], name="one_object_per_rank")]
        indexes = [models.Index(fields=["class_name", "probability", "detection"], name="object_class_probability")]

    def __str__(self) -> str:
        return f"{self.class_name} {self.probability}"

    @property
    def box(self) -> PixelBox:
        """The box in pixels of the upright photo."""
        return PixelBox(self.x, self.y, self.width, self.height)


class Batch(models.Model):
    """Many photos that were sent together; which of them came in is told by its items."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=255)
    threshold = models.FloatField(help_text="Objects with a probability above this are reported.")
    model_name = models.CharField(
        max_length=200, blank=True, default="", help_text="The model that answers; empty: the default of the moment."
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
    """One photo of a batch. It waits until its file has come in and was answered, whatever happens to the server.

    An item that is done has its detection; later there may be none, when somebody has deleted it.
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
    detection = models.OneToOneField(
        Detection, on_delete=models.SET_NULL, null=True, blank=True, related_name="batch_item"
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="one_item_per_position")]

    def __str__(self) -> str:
        return self.name


class Review(models.Model):
    """How far people are with a detection. One without a row was never looked at.

    version: the number of steps so far; whoever goes on from another one has not seen what a colleague did meanwhile.
    """

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="review")
    version = models.PositiveIntegerField(default=0)
    is_reviewed = models.BooleanField(default=False)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewer_name = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return f"review of {self.detection_id}"


class Verdict(models.Model):
    """What a person said, at one step of a review. Rows are only ever added: the newest one of an object is in force.

    found: the model's object that it is about; added_number: the object that a person drew. A row about neither is
    about the whole detection. class_name and box: what is true of the object from then on, also where it says no more
    than that the model is right.
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
        """The box in pixels of the upright photo."""
        return PixelBox(self.x, self.y, self.width, self.height)


class ListEntry(models.Model):
    """Where a detection stands in the lists: one row for all its reported objects, and one for each of their classes.

    Kept beside the detection (`detection/bookkeeping.py`), so that a list of one class finds its page by an index among
    a million detections. class_name: empty in the row for all. lowest, highest: probabilities of the objects that the
    row is for; 1 and 0 where there are none. is_reviewed: that of the review. has_rejected, has_changed, has_added:
    whether people took out one of these objects, gave one another class or box, and drew one that was missed.
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
            # What people found wrong is rare, and so are the rows of these.
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
    """A number of the history, counted while it grows: how many of something there were on a day, and in a month, so
    that long periods are added up from few rows (`tallies.py`).

    class_name: of the model's object, or of the one that a person drew; empty where a row counts photos or scores.
    detail: the twentieth that a score lies in, or the class that an object was relabelled to. day: of the detection, in
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
        # From class to class without the rows between (`tallies.class_names`). With all rows in it the planners would
        # take it for sums of a period as well, and read all that lies outside of it.
        indexes = [
            models.Index(
                fields=["class_name", "owner_id"],
                condition=models.Q(kind="object", span="month"),
                name="tally_class",
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.kind} in the {self.span} of {self.day}"
