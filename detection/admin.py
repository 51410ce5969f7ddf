"""The admin: past detections, to look at, search and delete. History is not changed here."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection import (
    admin_models,  # noqa: F401  (registers its page)
    admin_shadow,  # noqa: F401  (registers its page)
    deletion,
)
from detection.accounts import StaffNameAndPassword
from detection.class_titles import class_title
from detection.filters import DetectionFilter
from detection.models import DetectedObject, Detection, Photo

admin.site.login_form = StaffNameAndPassword
admin.site.site_header = admin.site.site_title = _("Object detector")
admin.site.index_title = _("Past detections and accounts")


class ReadOnlyAdmin:
    """What was detected stays as it was: it can be looked at and deleted, not added or changed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Detections come from the detector only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History does not change."""
        return False


class DetectedObjectInline(ReadOnlyAdmin, admin.TabularInline[DetectedObject, Detection]):
    """All kept objects, also those below the threshold."""

    model = DetectedObject
    fields = ("rank", "class_name", "probability", "x", "y", "width", "height")
    can_delete = False
    show_change_link = False
    extra = 0


class ClassFilter(admin.SimpleListFilter):
    """Detections that report an object of a class of the loaded (or any recorded) model."""

    title = _("Class")
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The classes that were found so far."""
        names = DetectedObject.objects.order_by("class_name").values_list("class_name", flat=True).distinct()
        return [(name, class_title(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Detection]) -> QuerySet[Detection]:
        """The same filter as the API's."""
        return DetectionFilter({"class": self.value()}, queryset).qs if self.value() else queryset


@admin.register(Detection)
class DetectionAdmin(ReadOnlyAdmin, admin.ModelAdmin[Detection]):
    """Detections with their pictures and objects."""

    list_display = ("thumbnail", "photo_name", "found", "engine", "source", "created_at")
    list_display_links = ("thumbnail", "photo_name")
    list_filter = (ClassFilter, "created_at", "engine", "source", "model_name")
    search_fields = ("=uuid", "photo__original_name", "=photo__sha256", "model_name")
    search_help_text = _("Photo name, detection id, photo hash or model name")
    list_select_related = ("photo",)
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = None
    inlines = (DetectedObjectInline,)
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Detection]:
        """With the reported objects, in one more query for the whole page."""
        reported = DetectedObject.objects.filter(probability__gt=F("detection__threshold"))
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("objects_found", queryset=reported, to_attr="reported_objects"))
        )

    def delete_model(self, request: HttpRequest, obj: Detection) -> None:
        """Delete the photo and its file too."""
        deletion.delete_detection(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Delete the photos and their files too."""
        for detection in queryset.select_related("photo"):
            deletion.delete_detection(detection)

    @admin.display(description=_("Photo"))
    def thumbnail(self, detection: Detection) -> SafeString:
        """A small picture."""
        return format_html(
            '<img src="{}" alt="" loading="lazy" height="60">', reverse("detection-thumbnail", args=[detection.uuid])
        )

    @admin.display(description=_("Name"), ordering="photo__original_name")
    def photo_name(self, detection: Detection) -> str:
        """The caller's name for the photo."""
        return detection.photo.original_name or gettext("(no name)")

    @admin.display(description=_("Size"))
    def photo_size(self, detection: Detection) -> str:
        """Pixels and bytes."""
        photo = detection.photo
        return f"{photo.width} x {photo.height} pixels, {photo.size_bytes:,} bytes, {photo.get_format_display()}"

    @admin.display(description=_("Objects"))
    def found(self, detection: Any) -> str:
        """The reported objects."""
        return ", ".join(
            f"{class_title(found.class_name)} {found.probability:.2f}" for found in detection.reported_objects
        ) or gettext("No objects")

    @admin.display(description=_("Detection"))
    def annotated_picture(self, detection: Detection) -> SafeString:
        """The photo with red boxes; a click opens the page of the detection."""
        return format_html(
            '<a href="{}"><img src="{}" alt="{}" class="annotated"></a>',
            detection.get_absolute_url(),
            reverse("detection-annotated", args=[detection.uuid]),
            gettext("The photo with a box around each reported object"),
        )


@admin.register(Photo)
class PhotoAdmin(ReadOnlyAdmin, admin.ModelAdmin[Photo]):
    """Stored photos; they are deleted with their detections."""

    list_display = ("original_name", "format", "width", "height", "size_bytes", "created_at")
    list_filter = ("format", "created_at")
    search_fields = ("original_name", "=sha256", "=uuid")
    show_full_result_count = False
    fields = ("uuid", "original_name", "format", "width", "height", "size_bytes", "sha256", "file", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A photo goes with its last detection."""
        return False
