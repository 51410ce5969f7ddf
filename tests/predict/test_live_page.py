"""The live page as the server makes it."""

from typing import Any

import pytest
from django.test import Client

# Where no model is loaded yet, the active version is asked for.
pytestmark = pytest.mark.django_db


def test_page_offers_camera_file_and_threshold(client: Client) -> None:
    response = client.get("/live/")
    html = response.content.decode()
    assert response.status_code == 200
    assert 'data-socket-path="/ws/live?threshold=0.1"' in html
    assert 'accept="video/*"' in html
    assert 'min="0.1" max="0.95" step="0.05" value="0.5"' in html
    assert 'href="/live/" aria-current="page"' in html


def test_threshold_of_the_service_is_the_one_that_the_page_begins_with(client: Client, limits: Any) -> None:
    limits(probability_more=0.05)
    html = client.get("/live/").content.decode()
    assert "/ws/live?threshold=0.05" in html
    assert 'value="0.05"' in html


@pytest.mark.parametrize("path", ["/", "/live/", "/batches/"])
def test_pages_that_take_videos_may_play_them_from_the_browsers_memory(client: Client, path: str) -> None:
    policy = client.get(path)["Content-Security-Policy"]
    assert "media-src blob:;" in f"{policy};"
