"""Model versions added by operators."""

from django.db import models


class ModelVersion(models.Model):
    """Version of a model in the folder `models` of DATA_DIR; at most one is active, which makes it the default."""

    NAME_LENGTH, VERSION_LENGTH = 100, 64

    name = models.CharField(max_length=NAME_LENGTH)
    version = models.CharField(max_length=VERSION_LENGTH)
    sha256 = models.CharField("hash", max_length=64)
    folder = models.CharField(max_length=200, help_text="Below the folder `models` of DATA_DIR.")
    is_active = models.BooleanField(default=False, editable=False)
    problem = models.TextField(blank=True, editable=False, help_text="Why a server could not load it.")
    added_at = models.DateTimeField(auto_now_add=True)
    replaced = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The version that was active before it; none for the model of MODEL_PREFIX.",
    )
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name", "added_at"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="one_row_per_model_version"),
            models.UniqueConstraint(fields=["is_active"], condition=models.Q(is_active=True), name="one_active_model"),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
