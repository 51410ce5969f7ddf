"""Admin page of webhooks."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from detection.models import Webhook
from detection.webhooks import addresses, signing


class WebhookForm(forms.ModelForm[Webhook]):
    """Form of a webhook."""

    class Meta:
        model = Webhook
        fields = (
            "url",
            "secret",
            "on_detection",
            "class_names",
            "min_probability",
            "on_drift",
            "on_activation",
            "on_overload",
            "is_enabled",
        )

    def clean_url(self) -> str:
        """Return the URL. Its host is looked up each time that something is sent."""
        url = str(self.cleaned_data["url"])
        try:
            addresses.parsed(url)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return url

    def clean_secret(self) -> str:
        """Return the secret."""
        secret = str(self.cleaned_data["secret"])
        try:
            signing.key_of(secret)
        except ValueError as error:
            raise forms.ValidationError(_("Write whsec_ and 24 to 64 bytes in base64.")) from error
        return secret


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin[Webhook]):
    """Admin of webhooks; enabling one begins anew, with the events that wait."""

    form = WebhookForm
    list_display = ("url", "is_enabled", "waiting", "failures", "problem", "dropped", "delivered_at")
    readonly_fields = ("waiting", "failures", "problem", "dropped", "delivered_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        """Return the webhooks with the number of their events."""
        return super().get_queryset(request).annotate(waiting_count=Count("events"))

    @admin.display(description=_("waiting events"))
    def waiting(self, webhook: Any) -> int:
        """Return how many events wait."""
        return int(getattr(webhook, "waiting_count", 0))

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        """Save, and try at once what waits."""
        obj.failures, obj.problem, obj.next_at = 0, "", timezone.now()
        super().save_model(request, obj, form, change)
