"""The page of the history: filters, paging, empty states, and the number of queries."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from detection.models import Detection
from tests.support.builders import stored_detection

MARCH_1, MARCH_2, MARCH_3 = (datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3))
CAT_AND_PEOPLE = "cat, 2 \N{MULTIPLICATION SIGN} person"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, ["bird", CAT_AND_PEOPLE, "dog"], id="all, newest first"),
        pytest.param({"class": "person"}, [CAT_AND_PEOPLE], id="class"),
        pytest.param({"class": "sofa"}, [], id="class below its threshold"),
        pytest.param({"date_from": "2026-03-02"}, ["bird", CAT_AND_PEOPLE], id="from, included"),
        pytest.param({"date_to": "2026-03-02"}, [CAT_AND_PEOPLE, "dog"], id="to, included"),
        pytest.param({"class": "dog", "date_from": "2026-03-02"}, [], id="class and date"),
    ],
)
def test_history_is_filtered_by_class_and_date(client: Client, query: dict[str, str], found: list[str]) -> None:
    stored_detection(("dog", 0.9), ("sofa", 0.3), created_at=MARCH_1)
    stored_detection(("cat", 0.9), ("person", 0.8), ("person", 0.7), created_at=MARCH_2)
    stored_detection(("bird", 0.9), created_at=MARCH_3)
    response = client.get("/history/", query)
    assert [card.summary for card in response.context["cards"]] == found
    assert [name for name, _ in response.context["classes"]] == ["bird", "cat", "dog", "person"]


@pytest.mark.django_db
def test_history_remembers_its_filter_while_paging(client: Client) -> None:
    for _ in range(30):
        stored_detection(("cat", 0.9))
        stored_detection(("dog", 0.9))
    first = client.get("/history/", {"class": "cat"})
    second = client.get(first.context["older_url"])
    assert (len(first.context["cards"]), len(second.context["cards"])) == (24, 6)
    assert {card.summary for card in second.context["cards"]} == {"cat"}
    assert '<option value="cat" selected>cat</option>' in second.content.decode()
    assert client.get(second.context["newer_url"]).context["cards"] == first.context["cards"]


@pytest.mark.django_db
def test_history_goes_back_to_its_start_when_a_page_has_become_empty(client: Client) -> None:
    for _ in range(25):
        stored_detection(("cat", 0.9))
    older = client.get("/history/", {"class": "cat"}).context["older_url"]
    Detection.objects.all().delete()
    response = client.get(older)
    assert (response.status_code, response["Location"]) == (302, "/history/?class=cat")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param({"date_from": "yesterday"}, "From: Enter a valid date. Change it, then press Show.", id="date"),
        pytest.param({"cursor": "older-x"}, "Start again from the newest detections.", id="cursor"),
        pytest.param({"source": "fax"}, "source: Select a valid choice.", id="source"),
    ],
)
def test_history_refuses_what_it_cannot_read(client: Client, query: dict[str, str], sentence: str) -> None:
    response = client.get("/history/", query)
    assert response.status_code == 400
    assert sentence in response.context["error"]
    assert response.context["cards"] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "advice"),
    [
        pytest.param({}, "Drop a photo on the first page", id="empty history"),
        pytest.param({"class": "cat"}, "Choose another object or a wider range of dates", id="nothing matches"),
    ],
)
def test_empty_history_says_what_to_do(client: Client, query: dict[str, str], advice: str) -> None:
    assert advice in client.get("/history/", query).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [1, 20])
def test_history_asks_the_database_the_same_number_of_questions_for_any_number_of_rows(
    client: Client, django_assert_num_queries: Callable[[int], Any], rows: int
) -> None:
    for _ in range(rows):
        stored_detection(("cat", 0.9), ("dog", 0.8))
    # The page of detections with their photos, their objects, the classes to choose from, and what was removed.
    with django_assert_num_queries(4):
        response = client.get("/history/")
    assert len(response.context["cards"]) == rows
