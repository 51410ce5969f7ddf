"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("detection.urls")),
]

handler400 = "detection.error_pages.bad_request"
handler404 = "detection.error_pages.page_not_found"
handler500 = "detection.error_pages.server_error"
