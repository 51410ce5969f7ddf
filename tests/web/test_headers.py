"""Headers that every response has, and what a page says of its own."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
PAGES = ("/", "/history/", "/batches/", "/review/", "/dashboard/", "/live/", "/admin/login/", "/api/docs/", "/none")


@pytest.mark.parametrize("path", [*PAGES, "/api/detections/", "/api/none", "/healthz", "/texts.js"])
def test_responses_say_who_may_use_and_keep_them(path: str) -> None:
    response = Client().get(path, headers={"Accept": "text/html"})
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=(self)" in response["Permissions-Policy"]
    assert "microphone=()" in response["Permissions-Policy"]
    assert "no-cache" in response["Cache-Control"] or "no-store" in response["Cache-Control"]
    assert "public" not in response["Cache-Control"]


def test_what_may_be_kept_keeps_its_own_header() -> None:
    response = Client().get("/static/detection/samples/chelsea.jpg")
    response.close()
    assert "max-age" in response["Cache-Control"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
