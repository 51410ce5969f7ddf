"""A filter that a list of the API does not have is refused with a sentence; pages ignore it."""

from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.test import Client

from detection.predict import service as predict_service
from detection.web.query import decode_query
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
FILTERS = (
    "class, not_class, min_probability, max_probability, name, album, date_from, date_to, zone, source, batch, model, "
    "engine, reviewed, verdict, shadow, blind"
)
LISTS = {
    "/api/detections/": {*FILTERS.split(", "), "cursor", "page_size"},
    "/api/export": {*FILTERS.split(", "), "format", "photos"},
    "/api/batches/": {"after", "count"},
    "/api/review/queue": {"album", "class", "order", "reviewed", "after", "count"},
    "/api/statistics/": {"blind", "period", "date_from", "date_to", "source", "model"},
    "/api/statistics/photos.csv": {"blind", "period", "date_from", "date_to", "source", "model"},
}


@pytest.mark.parametrize("name", ["nosuchfilter", "Class", "min-probability", "page", "limit", ""])
@pytest.mark.parametrize("path", LISTS)
def test_unknown_parameter_of_a_list_is_named_with_the_known_ones(path: str, name: str, client: Client) -> None:
    stored_detection(("cat", 0.9))
    answer = client.get(path, {"format": "jsonl", name: "1"} if path == "/api/export" else {name: "1"})
    assert answer.status_code == 400
    sentence = answer.json()["error"]
    assert sentence.startswith(f"There is no parameter {name!r} here. Use ")
    known = sentence.partition(" Use ")[2].removesuffix(", or leave it out.")
    assert set(known.split(", ")) == LISTS[path]


@pytest.mark.parametrize("path", LISTS)
def test_known_parameters_of_a_list_are_those_of_its_description(path: str, client: Client) -> None:
    described = client.get("/api/schema/?format=json").json()["paths"]
    parameters = described[path.replace("photos.csv", "{table}.csv")]["get"]["parameters"]
    assert {one["name"] for one in parameters if one["in"] == "query"} == LISTS[path]


@pytest.mark.parametrize("path", [path for path in LISTS if path not in {"/api/export", "/api/statistics/photos.csv"}])
def test_name_of_a_renderer_is_known_to_all(path: str, client: Client) -> None:
    assert client.get(path, {"format": "json"}).status_code == 200


def test_pages_take_links_that_count_visitors(client: Client) -> None:
    predict_service.stop()
    stored_detection(("cat", 0.9))
    for path in ("/history/", "/dashboard/", "/review/"):
        assert client.get(path, {"utm_source": "mail", "nosuchfilter": "1"}).status_code == 200


def test_export_of_a_page_takes_its_filters_along_and_nothing_else(client: Client) -> None:
    stored_detection(("cat", 0.9))
    query = {"class": "cat", "utm_source": "mail", "cursor": "newer-0-0", "page": "2", "date_from": ""}
    html = client.get(f"/history/?{urlencode(query)}").content.decode()
    form = html.partition('class="export"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="class" value="cat">' in form
    assert [name for name in ("utm_source", "cursor", "page", "date_from") if f'name="{name}"' in form] == []


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"", {}),
        (b"threshold=0.3&store=", {"threshold": "0.3", "store": ""}),
        (b"model=a&model=b", {"model": "b"}),
        (b"model=caf%C3%A9+1", {"model": "caf\u00e9 1"}),
        (b"model=%ff", {"model": "\ufffd"}),
    ],
)
def test_query_of_asgi_reads_like_that_of_django(raw: bytes, decoded: dict[str, str]) -> None:
    assert decode_query(raw) == QueryDict(raw).dict() == decoded
