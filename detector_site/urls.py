"""Addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("detection.urls")),
]

handler400 = "detection.web.error_pages.bad_request"
handler404 = "detection.web.error_pages.page_not_found"
handler500 = "detection.web.error_pages.server_error"
