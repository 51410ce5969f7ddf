"""Comparisons of a shadow model with the answers to callers."""

from django.db import models

from detection.models.detections import Detection


class ShadowRun(models.Model):
    """Objects that a candidate found in a photo answered by another model; deleted with that detection."""

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
    """One class in one comparison: number of objects found by both, and by each alone."""

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
