"""Admin page of model versions: the active one, and the switch to another."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.accounts.access import caller_of
from detection.i18n.error_messages import in_language
from detection.inference.errors import InferenceError
from detection.models import ModelVersion, TrainingMeasurement
from detection.registry import fetching
from detection.registry import versions as model_versions
from detection.registry.known_models import KNOWN_MODELS
from detection.registry.samples import look
from detection.registry.versions import ModelVersionError
from detection.serving import service as serving


def _look_address(row: ModelVersion) -> str:
    return reverse("admin:detection_modelversion_look", args=[row.pk])


@admin.register(ModelVersion)
class ModelVersionAdmin(admin.ModelAdmin[ModelVersion]):
    """Admin of model versions, which are added by `manage.py model add` or fetched from the catalogue: models are never
    uploaded over HTTP.
    """

    list_display = ("__str__", "is_active", "short_hash", "problem", "added_at", "activated_at", "look_link")
    list_filter = ("is_active", "name")
    readonly_fields = (
        "name",
        "version",
        "sha256",
        "folder",
        "is_active",
        "problem",
        "added_at",
        "activated_at",
        "measured_on",
    )
    actions = ("activate", "deactivate")

    @admin.display(description="hash")
    def short_hash(self, row: ModelVersion) -> str:
        """Return the hash as `manage.py model list` shows it; the version's page has all of it."""
        return row.sha256[:12]

    @admin.display(description=_("Measured on"))
    def measured_on(self, row: ModelVersion) -> str:
        """Return the training sets on which `manage.py evaluate` measured the version, with its accuracy."""
        rows = TrainingMeasurement.objects.filter(model_name=row.name, model_version=row.version)
        return "; ".join(map(str, rows.select_related("training_set"))) or "-"

    @admin.display(description=_("What it finds"))
    def look_link(self, row: ModelVersion) -> str:
        """Return a link to `look`."""
        return format_html('<a href="{}">{}</a>', _look_address(row), gettext("Look at photos"))

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of the lists, of `look` and of the catalogue of published models."""
        guarded = self.admin_site.admin_view
        return [
            path("<int:pk>/look/", guarded(self.look), name="detection_modelversion_look"),
            path("catalogue/", guarded(self.catalogue_view), name="detection_modelversion_catalogue"),
            *super().get_urls(),
        ]

    def look(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a version finds in a few photos and ask whether it is right; a POST lets the version answer."""
        row = get_object_or_404(ModelVersion, pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            self.activate(request, ModelVersion.objects.filter(pk=pk))
            return redirect("admin:detection_modelversion_changelist")
        try:
            samples = look(row, caller_of(request.user))
        except InferenceError as error:
            said = {"version": row, "reason": error}
            self.message_user(
                request, gettext("The version %(version)s cannot answer. %(reason)s") % said, messages.ERROR
            )
            return redirect("admin:detection_modelversion_changelist")
        title = gettext("What %(version)s finds") % {"version": row}
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "row": row}
        return TemplateResponse(request, "admin/detection/modelversion/look.html", {**context, "samples": samples})

    def catalogue_view(self, request: HttpRequest) -> HttpResponse:
        """List the published models; a POST fetches the one that it names. For those who may add versions."""
        if not request.user.has_perm("detection.add_modelversion"):
            raise PermissionDenied
        name = request.POST.get("model", "")
        if request.method == "POST":
            if name in KNOWN_MODELS and fetching.start(name):
                self.message_user(request, gettext("The server fetches %(model)s.") % {"model": name})
            return redirect("admin:detection_modelversion_catalogue")
        states = fetching.states()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Models to fetch"),
            "opts": self.opts,
            "states": states,
            "is_running": any(state.is_running for state in states),
        }
        return TemplateResponse(request, "admin/detection/modelversion/catalogue.html", context)

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
        may_fetch = request.user.has_perm("detection.add_modelversion")
        return super().changelist_view(request, {**(extra_context or {}), "may_fetch": may_fetch})

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
