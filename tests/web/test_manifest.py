"""The manifest of the pages as an app."""

from django.contrib.staticfiles import finders
from django.test import Client
from PIL import Image


def test_manifest_names_icons_of_the_sizes_that_they_have(client: Client) -> None:
    answer = client.get("/app.webmanifest")
    assert answer["Content-Type"] == "application/manifest+json"
    icons = answer.json()["icons"]
    for icon in icons:
        with Image.open(str(finders.find(icon["src"].removeprefix("/static/")))) as image:
            assert "{}x{}".format(*image.size) == icon["sizes"]
    assert {icon["purpose"] for icon in icons} == {"any", "maskable"}


def test_manifest_is_in_the_language_of_the_browser(client: Client) -> None:
    body = client.get("/app.webmanifest", headers={"Accept-Language": "ru"}).json()
    assert (body["lang"], body["name"]) == ("ru", "Детектор объектов")


def test_browsers_find_the_icon_where_they_look_by_themselves(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix("/static/")) is not None
