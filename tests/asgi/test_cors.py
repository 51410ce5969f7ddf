"""Scripts of other sites: what CORS_ORIGINS opens, and what stays closed."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.accounts import PASSWORD
from tests.support.serving import Server, running_server

SHOP, OTHER = "https://shop.example.org", "https://other.example.org"
JPEG = {"Content-Type": "image/jpeg"}
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
BROWSER = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"CORS_ORIGINS": f"{SHOP},http://localhost:3000", "MAX_BODY_BYTES": "100000"}
    settings["DATA_DIR"] = str(tmp_path_factory.mktemp("cors"))
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def anybodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("any")), "CORS_ORIGINS": "*", "ACCESS": "login"}
    with running_server(settings) as running:
        yield running


@pytest.mark.parametrize("path", ["/predict", "/api/predict", "/api/detections/", "/v2/models/x/infer", "/v1/vision/x"])
def test_preflight_of_an_origin_that_is_named(path: str, server: Server) -> None:
    answer = httpx.options(server.url + path, headers={"Origin": SHOP, **ASKED})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


def test_script_gets_its_answer_and_may_read_its_headers(server: Server, chelsea: bytes) -> None:
    answer = httpx.post(f"{server.url}/predict", content=chelsea, headers={"Origin": SHOP, **JPEG, **BROWSER})
    assert answer.json()["prediction"][0]["objectClass"] == "cat"
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "X-Detection-Id" in answer.headers["Access-Control-Expose-Headers"]


def test_script_can_read_why_it_is_refused(server: Server) -> None:
    headers = {"Origin": SHOP, **BROWSER}
    refused = [
        (413, httpx.post(f"{server.url}/predict", content=b"\xff\xd8" * 100_000, headers={**headers, **JPEG})),
        (404, httpx.get(f"{server.url}/api/detections/none/", headers=headers)),
    ]
    for status, answer in refused:
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, SHOP)


@pytest.mark.parametrize("origin", [OTHER, "null", f"{SHOP}.evil.example", "http://shop.example.org"])
def test_other_origins_stay_refused(origin: str, server: Server, chelsea: bytes) -> None:
    preflight = httpx.options(f"{server.url}/predict", headers={"Origin": origin, **ASKED})
    posted = httpx.post(f"{server.url}/predict", content=chelsea, headers={"Origin": origin, **JPEG, **BROWSER})
    assert posted.status_code == 403
    for answer in (preflight, posted):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_stay_closed(server: Server) -> None:
    for path in ("/", "/history/", "/admin/login/"):
        answer = httpx.get(server.url + path, headers={"Origin": SHOP})
        assert "Access-Control-Allow-Origin" not in answer.headers
    posted = httpx.post(f"{server.url}/admin/login/", data={"username": "a"}, headers={"Origin": SHOP, **BROWSER})
    assert posted.status_code == 403


def test_all_origins_without_cookies(anybodys: Server) -> None:
    """A login of a page does not count for scripts of other sites, whatever the origin."""
    with httpx.Client(base_url=anybodys.url, headers={"Origin": OTHER}) as client:
        answer = client.get("/api/models", auth=("admin", PASSWORD))
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_nothing_is_open_by_default(tmp_path: object) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as running:
        answer = httpx.options(f"{running.url}/predict", headers={"Origin": SHOP, **ASKED})
    assert "Access-Control-Allow-Origin" not in answer.headers
