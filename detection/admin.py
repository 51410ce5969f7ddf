"""Admin of past detections, to look at, search and delete. The history is not changed here."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.accounts import admin as accounts_admin  # noqa: F401  (registers its page)
from detection.accounts.views import StaffLoginForm
from detection.drift import admin as drift_admin  # noqa: F401  (registers its pages)
from detection.history import admin as history_admin
from detection.history import deletion
from detection.history.admin import (
    BoundedList,
    BoundedPaginator,
    ClassFilter,
    DetectionList,
    EngineFilter,
    ModelFilter,
    PeriodFilter,
    ReviewFilter,
    SourceFilter,
)
from detection.i18n.class_titles import class_title
from detection.learning import admin as learning_admin  # noqa: F401  (registers its page)
from detection.learning import calibration_admin, sample_admin  # noqa: F401  (register their pages)
from detection.models import DetectedObject, Detection, Photo, Verdict
from detection.registry import admin as registry_admin  # noqa: F401  (registers its page)
from detection.review.admin import ReviewActions, VerdictInline, verdict_in_force
from detection.shadow import admin as shadow_admin  # noqa: F401  (registers its page)
from detection.sharing import admin as sharing_admin  # noqa: F401  (registers its page)
from detection.training import admin as training_admin  # noqa: F401  (registers its page)
from detection.web.admin import ReadOnlyAdmin
from detection.webhooks import admin as webhooks_admin  # noqa: F401  (registers its page)

admin.site.login_form = StaffLoginForm
admin.site.site_header = admin.site.site_title = _("Object detector")
admin.site.index_title = _("Past detections and accounts")


class DetectedObjectInline(ReadOnlyAdmin, admin.TabularInline[DetectedObject, Detection]):
    """All stored objects, including those below the threshold, with their verdicts."""

    model = DetectedObject
    fields = ("rank", "class_name", "probability", "x", "y", "width", "height", "stands")
    readonly_fields = ("stands",)
    can_delete = False
    show_change_link = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[DetectedObject]:
        """Return the objects with their verdicts, in one more query."""
        said = Prefetch("verdicts", queryset=Verdict.objects.order_by("step", "pk"))
        return super().get_queryset(request).prefetch_related(said)

    @admin.display(description=_("Verdict"))
    def stands(self, found: DetectedObject) -> str:
        """Return the verdict in force, with author and time."""
        return verdict_in_force(next(reversed(found.verdicts.all()), None))


@admin.register(Detection)
class DetectionAdmin(ReviewActions, ReadOnlyAdmin, admin.ModelAdmin[Detection]):
    """Admin of detections, with their pictures, objects and reviews."""

    list_display = ("thumbnail", "photo_name", "found", "review_state", "engine", "source", "created_at")
    list_display_links = ("thumbnail", "photo_name")
    list_filter = (ReviewFilter, ClassFilter, PeriodFilter, SourceFilter, EngineFilter, ModelFilter)
    # By other columns a page of a million could not be read from an index, least of all together with a filter.
    sortable_by = ("created_at",)
    actions = ("confirm_all", "reject_all", "reopen", "undo")
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("photo__original_name",)
    search_help_text = history_admin.DETECTIONS_HELP
    list_select_related = ("photo", "review")
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = None
    inlines = (DetectedObjectInline, VerdictInline)
    fields = (
        "annotated_picture",
        "uuid",
        "photo_name",
        "photo_size",
        "created_at",
        "source",
        "threshold",
        "reported_count",
        ("model_name", "model_sha256"),
        ("engine", "device", "precision"),
        "timings_ms",
    )
    readonly_fields = ("annotated_picture", "photo_name", "photo_size")

    def get_changelist(self, request: HttpRequest, **_given: Any) -> type[DetectionList]:
        """Return the change list with combined filters."""
        return DetectionList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Detection]:
        """Return the detections with their reported objects, in one more query for the whole page."""
        reported = DetectedObject.objects.reported()
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("objects_found", queryset=reported, to_attr="reported_objects"))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Detection], search_term: str
    ) -> tuple[QuerySet[Detection], bool]:
        """Search by indexes; never a row twice."""
        return history_admin.detections(self, request, queryset, search_term.strip()), False

    def delete_model(self, request: HttpRequest, obj: Detection) -> None:
        """Delete the photo and its file too."""
        deletion.delete_detection(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Delete the photos and their files too."""
        for detection in queryset.select_related("photo"):
            deletion.delete_detection(detection)

    @admin.display(description=_("Photo"))
    def thumbnail(self, detection: Detection) -> SafeString:
        """Show a thumbnail."""
        return format_html(
            '<img src="{}" alt="" loading="lazy" height="60">', reverse("detection-thumbnail", args=[detection.uuid])
        )

    @admin.display(description=_("Name"), ordering="photo__original_name")
    def photo_name(self, detection: Detection) -> str:
        """Return the caller's name for the photo."""
        return detection.photo.original_name or gettext("(no name)")

    @admin.display(description=_("Size"))
    def photo_size(self, detection: Detection) -> str:
        """Return pixels and bytes."""
        photo = detection.photo
        return f"{photo.width} x {photo.height} pixels, {photo.size_bytes:,} bytes, {photo.get_format_display()}"

    @admin.display(description=_("Objects"))
    def found(self, detection: Any) -> str:
        """Return the reported objects."""
        return ", ".join(
            f"{class_title(found.class_name)} {found.probability:.2f}" for found in detection.reported_objects
        ) or gettext("No objects")

    @admin.display(description=_("Detection"))
    def annotated_picture(self, detection: Detection) -> SafeString:
        """Show the photo with red boxes; a click opens the page of the detection."""
        return format_html(
            '<a href="{}"><img src="{}" alt="{}" class="annotated"></a>',
            detection.get_absolute_url(),
            reverse("detection-annotated", args=[detection.uuid]),
            gettext("The photo with a box around each reported object"),
        )


@admin.register(Photo)
class PhotoAdmin(ReadOnlyAdmin, admin.ModelAdmin[Photo]):
    """Admin of stored photos; they are deleted with their detections."""

    list_display = ("original_name", "format", "width", "height", "size_bytes", "created_at")
    search_fields = ("original_name",)
    search_help_text = history_admin.PHOTOS_HELP
    show_full_result_count = False
    paginator = BoundedPaginator
    fields = ("uuid", "original_name", "format", "width", "height", "size_bytes", "sha256", "file", "created_at")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Photo], search_term: str
    ) -> tuple[QuerySet[Photo], bool]:
        """Search by indexes; never a row twice."""
        return history_admin.photos(self, request, queryset, search_term.strip()), False

    def get_changelist(self, request: HttpRequest, **_given: Any) -> type[BoundedList]:
        """Return the change list with a bounded count."""
        return BoundedList

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a photo is deleted with its last detection."""
        return False
