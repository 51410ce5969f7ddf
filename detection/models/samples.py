"""Stratified samples of a model's objects, to measure it by people's verdicts (`detection/learning/sampling.py`)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from detection.models.detections import DetectedObject


class Sample(models.Model):
    """Random objects of the newest photos of a model's version; the newest sample of a version counts.

    photos, objects: that it was drawn from. seed: of the random numbers.
    """

    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=64, blank=True)
    photos = models.PositiveIntegerField(_("photos"), help_text=_("The newest ones, from which it was drawn."))
    objects_kept = models.PositiveIntegerField(_("objects"), help_text=_("In these photos, also unreported ones."))
    seed = models.BigIntegerField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("measuring sample")
        verbose_name_plural = _("measuring samples")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["model_name", "model_version", "-id"], name="sample_newest_of_model")]

    def __str__(self) -> str:
        return f"sample {self.pk}"

    @property
    def model(self) -> str:
        """NAME@VERSION of the model; the name alone where it has no version."""
        return f"{self.model_name}@{self.model_version}".rstrip("@")


class SampleStratum(models.Model):
    """Objects of a class in a band of probabilities: how many there were, and how many of them were drawn.

    class_name: empty for all classes that have no strata of their own. band: as in `learning/strata.py`.
    population / drawn: how many objects each drawn one stands for.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="strata", db_index=False)
    class_name = models.CharField(max_length=100, blank=True)
    band = models.PositiveSmallIntegerField()
    population = models.PositiveIntegerField()
    drawn = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sample", "class_name", "band"], name="one_sample_stratum")]

    def __str__(self) -> str:
        return f"{self.class_name or 'the rest'} {self.band}"


class SampledObject(models.Model):
    """Object of a sample. position: random, the same share of each stratum comes early."""

    stratum = models.ForeignKey(SampleStratum, on_delete=models.CASCADE, related_name="sampled")
    found = models.ForeignKey(DetectedObject, on_delete=models.CASCADE, related_name="sampled")
    position = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stratum", "found"], name="once_in_a_sample")]

    def __str__(self) -> str:
        return f"object {self.found_id}"
