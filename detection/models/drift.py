"""Days of a model version in numbers, for comparison with its reference period."""

from django.db import models


class DriftDay(models.Model):
    """One day of a model version (`detection/drift/`): its measures, and those that differ from the reference period.

    measures: for each name the number of photos, mean, and variance between photos. findings: name, mean, the
    reference's mean and the number of standard errors between them, most significant first. reference_days: how many
    days it was compared with; 0: not compared, since there were too few.
    """

    day = models.DateField(help_text="In UTC.")
    model = models.CharField(max_length=265, help_text="NAME@VERSION.")
    photos = models.PositiveIntegerField()
    measures = models.JSONField(default=dict)
    findings = models.JSONField(default=list)
    is_told = models.BooleanField(default=False, help_text="Webhooks were told; not again of the same within a week.")
    reference_days = models.PositiveIntegerField(default=0)
    mail_next_at = models.DateTimeField(null=True, help_text="When its e-mail is tried next; empty: none waits.")
    mail_attempts = models.PositiveIntegerField(default=0, help_text="Attempts to send its e-mail.")

    class Meta:
        ordering = ["-day", "model"]
        constraints = [models.UniqueConstraint(fields=["model", "day"], name="one_drift_day")]

    def __str__(self) -> str:
        return f"{self.model} on {self.day}"


class DriftReference(models.Model):
    """Reference period that an operator chose for a model version; without one it is the version's first weeks."""

    model = models.CharField(max_length=265, unique=True, help_text="NAME@VERSION, or NAME of a model without one.")
    first = models.DateField(help_text="In UTC.")
    last = models.DateField(help_text="In UTC, included.")

    class Meta:
        ordering = ["model"]

    def __str__(self) -> str:
        return f"{self.model} from {self.first} to {self.last}"
