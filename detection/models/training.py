"""Training sets: frozen, numbered versions of reviewed photos (`detection/training/`)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from detection.models.detections import Detection


class TrainingSet(models.Model):
    """Numbered version of a named set of photos with labels, which never changes.

    classes: names in their order. sha256: of the photos' hashes, splits and labels, and the classes.
    """

    NAME_LENGTH = 64

    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    number = models.PositiveIntegerField(_("number"), help_text=_("Of the versions of this name."))
    licence = models.CharField(_("licence"), max_length=500, help_text=_("Who may use the photos, and for what."))
    classes = models.JSONField(_("classes"))
    sha256 = models.CharField("SHA-256", max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("training set")
        verbose_name_plural = _("training sets")
        ordering = ["name", "-number"]
        constraints = [models.UniqueConstraint(fields=["name", "number"], name="one_row_per_training_set")]

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


class TrainingPhoto(models.Model):
    """Photo of a training set with its labels as they were. labels: `[class, x, y, width, height]` each, in pixels.

    detection: none once it was deleted: the photo is gone then, and the set is incomplete. group: photos of one group
    are near duplicates, and in one split.
    """

    class Split(models.TextChoices):
        TRAIN = "train", _("Train")
        VALID = "valid", _("Valid")
        TEST = "test", _("Test")

    training_set = models.ForeignKey(TrainingSet, on_delete=models.CASCADE, related_name="photos")
    detection = models.ForeignKey(Detection, on_delete=models.SET_NULL, null=True, related_name="training_photos")
    photo_sha256 = models.CharField(max_length=64)
    split = models.CharField(max_length=8, choices=Split.choices)
    group = models.PositiveIntegerField()
    labels = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["training_set", "photo_sha256"], name="once_in_a_training_set")]

    def __str__(self) -> str:
        return f"{self.photo_sha256[:12]} in {self.split}"


class TrainingMeasurement(models.Model):
    """Accuracy of a model on the test split of a training set, as `manage.py evaluate` measured it."""

    training_set = models.ForeignKey(TrainingSet, on_delete=models.CASCADE, related_name="measurements")
    model_name = models.CharField(_("model"), max_length=200)
    model_version = models.CharField(_("version"), max_length=64, blank=True)
    model_sha256 = models.CharField("SHA-256", max_length=64)
    photos = models.PositiveIntegerField(_("photos"))
    objects_counted = models.PositiveIntegerField(_("objects"))
    coco_ap = models.FloatField("AP@[.5:.95]", null=True)
    coco_ap50 = models.FloatField("AP@.5", null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["model_name", "model_version"], name="measurement_of_model")]

    def __str__(self) -> str:
        ap, ap50 = ("-" if value is None else f"{value:.3f}" for value in (self.coco_ap, self.coco_ap50))
        return f"{self.training_set}: AP {ap}, AP50 {ap50}, {self.photos} photos"
