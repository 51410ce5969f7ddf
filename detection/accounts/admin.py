"""Admin of the tokens that users have made. Those of `drf_create_token` are a page of Django REST framework."""

from django.contrib import admin

from detection.models import ApiToken
from detection.web.admin import ReadOnlyAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin, admin.ModelAdmin[ApiToken]):
    """Admin of API tokens: whose they are; deleting one revokes it. Their keys are not kept."""

    list_display = ("name", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = ("name", "user", "created_at")
