"""Votes of people on which of two answers for a photo is right."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from detection.models.detections import Detection


class Vote(models.Model):
    """A person's choice between two detections of one photo, made without knowing whose they are.

    Rows are only ever added: the newest one of a person and a pair counts. one: the detection that was stored first.
    """

    class Choice(models.TextChoices):
        ONE = "one", _("The first")
        OTHER = "other", _("The second")
        BOTH = "both", _("Both")
        NEITHER = "neither", _("Neither")

    one = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="votes_as_one")
    other = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="votes_as_other")
    choice = models.CharField(max_length=7, choices=Choice.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="votes",
        help_text="Nobody where ACCESS=open.",
    )
    user_name = models.CharField(max_length=150, blank=True, help_text="Also when the account is gone.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.choice} of {self.one_id} and {self.other_id}"
