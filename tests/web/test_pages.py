"""Rules for every page."""

from unittest import mock

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/history/", "/no-such-page"])
def test_pages_forbid_scripts_and_styles_but_those_of_this_site(client: Client, path: str) -> None:
    response = client.get(path)
    html = response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "<style" not in html
    assert " style=" not in html
    assert "<script>" not in html
    assert " onclick=" not in html


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "hidden"), [("/", False), ("/history/", True)])
def test_photos_of_people_stay_out_of_search_engines(client: Client, path: str, hidden: bool) -> None:
    assert ('<meta name="robots" content="noindex">' in client.get(path).content.decode()) is hidden


@pytest.mark.django_db
def test_failure_of_ours_is_a_page_that_says_what_to_do(client: Client) -> None:
    client.raise_request_exception = False
    with mock.patch("detection.gallery.views.page_of", side_effect=RuntimeError("broken")):
        response = client.get("/history/")
    assert response.status_code == 500
    assert "Try again in a moment" in response.content.decode()
