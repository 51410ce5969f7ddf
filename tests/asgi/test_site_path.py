"""The site below a path: every address that it gives is below that path, and it answers there, with the path or not."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.serving import Server, running_server

BELOW = "/tools/detector"
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("below")), "SITE_PATH": BELOW}
    with running_server(settings) as running:
        yield running


def addresses(page: str) -> set[str]:
    """Return the paths of a page's links, forms, pictures, scripts and data attributes."""
    found = re.findall(r'(?:href|src|action|data-[a-z-]*(?:url|path|socket|address)[a-z-]*)="([^"#]+)"', page)
    return {urlsplit(address).path for address in found if address.startswith("/")}


@pytest.mark.parametrize("taken_away", [False, True], ids=["path left", "path taken away"])
def test_photo_and_pages_below_the_path(taken_away: bool, server: Server, chelsea: bytes) -> None:
    base = server.url if taken_away else f"{server.url}{BELOW}"
    answer = httpx.post(f"{base}/predict", content=chelsea, headers=JPEG)
    assert answer.json()["prediction"][0]["objectClass"] == "cat"
    detection = answer.headers["X-Detection-Id"]
    paths = ["", "history/", "batches/", "review/", "dashboard/", "live/", f"detections/{detection}/", "api/docs/"]
    for path in paths:
        page = httpx.get(f"{base}/{path}", headers={"Accept": "text/html"}, follow_redirects=False)
        assert page.status_code in {200, 302}, path
        given = addresses(page.text) | ({urlsplit(page.headers["Location"]).path} if page.status_code == 302 else set())
        assert given, path
        assert {address for address in given if not address.startswith(f"{BELOW}/")} == set(), path
        for address in sorted(given):
            if address.startswith(f"{BELOW}/static/"):
                assert httpx.get(server.url + address).status_code == 200, address


def test_lists_and_redirects_stay_below_the_path(server: Server) -> None:
    base = f"{server.url}{BELOW}"
    rows = httpx.get(f"{base}/api/detections/?page_size=1").json()["results"]
    assert all(urlsplit(value).path.startswith(BELOW) for row in rows for value in _links(row))
    assert httpx.get(f"{base}/history").headers["Location"].startswith(f"{BELOW}/history/")
    assert httpx.get(f"{base}/admin/").headers["Location"].startswith(f"{BELOW}/admin/login/")
    assert httpx.get(f"{base}/api/schema/?format=json").json()["servers"] == [{"url": BELOW}]


def _links(row: object) -> Iterator[str]:
    if isinstance(row, dict):
        for value in row.values():
            yield from _links(value)
    elif isinstance(row, str) and row.startswith(("/", "http")):
        yield row


def test_cookies_are_of_the_path_alone(server: Server) -> None:
    login = httpx.get(f"{server.url}{BELOW}/admin/login/")
    assert [cookie.path for cookie in login.cookies.jar] == [f"{BELOW}/"]


def test_health_checks_may_go_past_the_proxy(server: Server) -> None:
    for address in ("/healthz", "/readyz", f"{BELOW}/healthz"):
        assert httpx.get(server.url + address).status_code == 200
    assert httpx.get(f"{server.url}/tools/other/").status_code == 404
