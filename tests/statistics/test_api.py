"""The numbers for programs: JSON, and CSV that no spreadsheet runs."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from detection.statistics.tables import TABLES
from tests.accounts.test_access import login
from tests.support.accounts import account, token_headers
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
__all__ = ["login"]
JANUARY = "date_from=2026-01-01&date_to=2026-01-31"


@pytest.fixture
def history(db: None) -> None:
    """Two photos of January, one of them judged."""
    made = stored_detection(("cat", 0.93), ("=dog", 0.61), created_at=datetime(2026, 1, 2, tzinfo=UTC))
    box = made.objects_found.all()[0].box
    said = [Statement("1", "relabelled", "wolf"), Statement(None, "added", "hen", box)]
    review_service.judge(made, 0, said, Reviewer(), reviewed=True)
    stored_detection(created_at=datetime(2026, 1, 3, tzinfo=UTC))


def statistics(query: str, **headers: str) -> Any:
    response = Client().get(f"/api/statistics/?{query}", headers=headers)
    assert response.status_code == 200, response.content
    return response.json()


def rows(table: str, query: str = JANUARY) -> list[list[str]]:
    response = Client().get(f"/api/statistics/{table}.csv?{query}")
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{table}.csv"'
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_json_has_every_table(history: None) -> None:
    found = statistics(JANUARY)
    assert found.keys() == {"date_from", "date_to", "by", *TABLES}
    assert (found["date_from"], found["date_to"], found["by"]) == ("2026-01-01", "2026-01-31", "day")
    assert found["photos"] == [
        {"date": "2026-01-02", "photos": 1, "nothing_found": 0},
        {"date": "2026-01-03", "photos": 1, "nothing_found": 1},
    ]
    assert {"date": "2026-01-02", "class": "cat", "objects": 1} in found["objects"]
    assert sorted(one["class"] for one in found["classes"]) == ["=dog", "cat"]
    assert [one for one in found["scores"] if one["objects"]] == [
        {"from": 0.6, "to": 0.65, "objects": 1},
        {"from": 0.9, "to": 0.95, "objects": 1},
    ]
    assert [(one["class"], one["confirmed"], one["relabelled"], one["precision"]) for one in found["precision"]] == [
        ("=dog", 0, 1, 0.0),
        ("cat", 1, 0, 1.0),
    ]
    assert found["confusion"] == [{"model_class": "=dog", "reviewed_class": "wolf", "objects": 1}]
    assert found["missed"] == [{"class": "hen", "objects": 1}]


def test_long_period_is_counted_by_month(history: None) -> None:
    found = statistics("period=all")
    assert (found["date_from"], found["date_to"], found["by"]) == (None, None, "month")
    assert found["photos"] == [{"date": "2026-01-01", "photos": 2, "nothing_found": 1}]


@pytest.mark.parametrize("table", TABLES)
def test_csv_has_the_rows_of_the_json(table: str, history: None) -> None:
    head, *lines = rows(table)
    assert tuple(head) == TABLES[table].columns
    told = [[str(cell) for cell in one.values()] for one in statistics(JANUARY)[table]]
    assert [[cell.removeprefix("'") for cell in line] for line in lines] == told


def test_class_that_is_a_formula_is_text_in_a_spreadsheet(history: None) -> None:
    assert "'=dog" in [line[0] for line in rows("classes")]
    assert rows("confusion")[1] == ["'=dog", "wolf", "1"]


def test_filters_are_those_of_the_page(history: None) -> None:
    assert statistics(f"{JANUARY}&source=page")["photos"] == []
    assert rows("photos", f"{JANUARY}&model=none") == [["date", "photos", "nothing_found"]]


@pytest.mark.parametrize("address", ["/api/statistics/", "/api/statistics/photos.csv"])
@pytest.mark.parametrize("query", ["period=3", "date_from=x", "source=fax", "date_from=2026-02-02&date_to=2026-02-01"])
def test_filter_that_cannot_be_used_is_told(address: str, query: str) -> None:
    response = Client().get(f"{address}?{query}")
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")


def test_unknown_table_names_those_there_are() -> None:
    response = Client().get("/api/statistics/colours.csv")
    assert response.status_code == 404
    assert response.json() == {"error": f"There is no table 'colours'. Use one of {', '.join(TABLES)}."}


def test_each_user_gets_their_own_numbers_and_staff_all(login: Any) -> None:
    owner, other, staff = account("owner"), account("other"), account("boss", is_staff=True)
    stored_detection(("cat", 0.9), owner_id=owner.pk)
    found = {user.username: statistics("", **token_headers(user))["classes"] for user in (owner, other, staff)}
    cats = [{"class": "cat", "objects": 1}]
    assert found == {"owner": cats, "other": [], "boss": cats}
