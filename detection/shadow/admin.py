"""Admin page of the shadow model: its disagreements with the answers, in numbers and in photos."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext

from detection.conf import current
from detection.models import ShadowRun
from detection.photos import rendering
from detection.shadow import report as shadow_report

PAGE_SIZE = 12


@admin.register(ShadowRun)
class ShadowRunAdmin(admin.ModelAdmin[ShadowRun]):
    """Admin of comparisons, which servers create (`detection/shadow/service.py`); they are deleted with their
    detections.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        """See the class."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ShadowRun | None = None) -> bool:
        """See the class."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ShadowRun | None = None) -> bool:
        """See the class."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the candidate's picture of a photo."""
        drawn = self.admin_site.admin_view(self.drawn)
        return [path("<path:object_id>/drawn/", drawn, name="detection_shadowrun_drawn"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the table of a pair of models, `?pair=`, and its photos, most disagreement first, in pages."""
        self._require_view(request)
        known = shadow_report.pairs()
        wanted = request.GET.get("pair", "")
        pair = next((each for each in known if each.key == wanted), known[0] if known else None)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Where the shadow model disagrees"),
            "opts": self.opts,
            "shadow_model": current.config().shadow.name,
            "share_percent": f"{current.config().shadow.share * 100:g}",
            "pairs": known,
            "pair": pair,
            **(extra_context or {}),
        }
        if pair is not None:
            runs = shadow_report.runs_of(pair).filter(disagreements__gt=0).select_related("detection__photo")
            context["rows"] = shadow_report.by_class(pair)
            context["page"] = Paginator(runs, PAGE_SIZE).get_page(request.GET.get("page"))
        return TemplateResponse(request, "admin/detection/shadowrun/change_list.html", context)

    def drawn(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Draw the candidate's objects on the photo."""
        self._require_view(request)
        run = self.get_object(request, object_id)
        if run is None:
            raise Http404
        try:
            jpeg = rendering.with_objects(run.detection.photo, shadow_report.objects_of(run))
        except FileNotFoundError as error:
            raise Http404 from error
        return HttpResponse(jpeg, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied
