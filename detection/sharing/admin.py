"""Admin of share links: who shares what, until when; staff revoke them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from detection.models import ShareLink
from detection.web.admin import ReadOnlyAdmin


@admin.register(ShareLink)
class ShareLinkAdmin(ReadOnlyAdmin, admin.ModelAdmin[ShareLink]):
    """Admin of share links. Their secrets are not kept, so none can be opened from here."""

    list_display = ("shows", "owner", "created_at", "ends_at", "is_open")
    list_select_related = ("detection__photo", "album", "owner")
    fields = ("shows", "owner", "created_at", "ends_at", "revoked_at")
    actions = ("revoke",)
    show_full_result_count = False

    @admin.display(description=_("Shows"))
    def shows(self, link: ShareLink) -> str:
        """Return the photo's or the album's name."""
        return str(link.album or (link.detection and link.detection.photo))

    @admin.display(description=_("Open"), boolean=True)
    def is_open(self, link: ShareLink) -> bool:
        """Return whether it can be opened."""
        return link.is_open

    @admin.action(description=_("Revoke the selected links"), permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        """End them now."""
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, _("%(count)s links were revoked.") % {"count": count})
