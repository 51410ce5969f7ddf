"""Admin page of model versions: the active one, and the switch to another."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.i18n.error_messages import in_language
from detection.inference.errors import InferenceError
from detection.models import ModelVersion
from detection.registry import versions as model_versions
from detection.registry.versions import ModelVersionError
from detection.serving import service as serving


@admin.register(ModelVersion)
class ModelVersionAdmin(admin.ModelAdmin[ModelVersion]):
    """Admin of model versions, which are added by `manage.py model add` only: models are never uploaded over HTTP."""

    list_display = ("__str__", "is_active", "short_hash", "problem", "added_at", "activated_at")
    list_filter = ("is_active", "name")
    readonly_fields = ("name", "version", "sha256", "folder", "is_active", "problem", "added_at", "activated_at")
    actions = ("activate", "deactivate")

    @admin.display(description="hash")
    def short_hash(self, row: ModelVersion) -> str:
        """Return the hash as `manage.py model list` shows it; the version's page has all of it."""
        return row.sha256[:12]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """See the class."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelVersion | None = None) -> bool:
        """Return False: `manage.py model remove` deletes the files too."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with a warning where this server could not load the active version."""
        if request.method == "GET" and (problem := serving.active_problem()):
            self.message_user(request, in_language(problem), messages.WARNING)
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Let the chosen version answer"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Try the version and make it the active one; an error is shown and changes nothing."""
        rows = list(queryset)
        if len(rows) != 1:
            self.message_user(request, gettext("Choose one version: one model answers by default."), messages.ERROR)
            return
        try:
            model_versions.activate(rows[0])
        except (ModelVersionError, InferenceError) as error:
            # Messages are shown with a capital first, which would change a name.
            said = {"version": rows[0], "reason": error}
            self.message_user(
                request, gettext("The version %(version)s cannot answer. %(reason)s") % said, messages.ERROR
            )
            return
        self.message_user(
            request,
            gettext("The version %(version)s is active; every server changes to it within seconds.")
            % {"version": rows[0]},
            messages.SUCCESS,
        )

    @admin.action(description=_("Let the model of MODEL_PREFIX answer again"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        """Deactivate the version; when the model of MODEL_PREFIX cannot be used, show the error instead."""
        if not queryset.filter(is_active=True).exists():
            self.message_user(
                request, gettext("Choose the active version, which is to answer no more."), messages.ERROR
            )
            return
        try:
            model_versions.deactivate()
        except InferenceError as error:
            said = {"reason": error}
            self.message_user(
                request, gettext("The model of MODEL_PREFIX cannot answer. %(reason)s") % said, messages.ERROR
            )
            return
        sentence = gettext("The model of MODEL_PREFIX is active; every server changes to it within seconds.")
        self.message_user(request, sentence, messages.SUCCESS)
