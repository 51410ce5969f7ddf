"""Keyset paging: every detection is on exactly one page, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from detection.history.pagination import BadCursorError, Cursor, HistoryPage, neighbours, page_of
from detection.models import Detection
from tests.support.builders import stored_detection

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def page(cursor: Cursor | None = None, size: int = 2) -> HistoryPage:
    return page_of(Detection.objects.all(), cursor, size)


def store(count: int) -> list[Detection]:
    """Detections a second apart, newest first."""
    return [stored_detection(created_at=NOON + timedelta(seconds=second)) for second in reversed(range(count))]


@pytest.mark.django_db
def test_pages_follow_each_other_from_the_newest_to_the_oldest() -> None:
    stored = store(5)
    first = page()
    second = page(first.older)
    third = page(second.older)
    assert [*first.detections, *second.detections, *third.detections] == stored
    assert (first.newer, third.older) == (None, None)


@pytest.mark.django_db
def test_the_way_back_shows_the_same_pages() -> None:
    store(5)
    first = page()
    second = page(first.older)
    third = page(second.older)
    assert page(third.newer) == second
    assert page(second.newer).detections == first.detections
    assert page(second.newer).newer is None


@pytest.mark.django_db
def test_detections_of_the_same_moment_are_told_apart_by_their_id() -> None:
    stored = [stored_detection(created_at=NOON) for _ in range(3)]
    first = page()
    second = page(first.older)
    assert [*first.detections, *second.detections] == list(reversed(stored))
    assert page(second.newer).detections == first.detections


@pytest.mark.django_db
def test_a_new_detection_does_not_shift_the_next_page() -> None:
    stored = store(4)
    first = page()
    stored_detection(created_at=NOON + timedelta(days=1))
    assert page(first.older).detections == tuple(stored[2:])


@pytest.mark.django_db
def test_an_empty_history_is_one_empty_page() -> None:
    assert page() == HistoryPage((), None, None)


def test_a_cursor_survives_its_way_through_an_address() -> None:
    cursor = Cursor(towards_newer=True, created_at=NOON, detection_id=42)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("older-5", id="no id"),
        pytest.param("later-5-5", id="unknown direction"),
        pytest.param("older--5-5", id="negative time"),
        pytest.param("older-5-5 ", id="trailing space"),
        pytest.param("older-\u0665-5", id="digits of another script"),
        pytest.param("older-999999999999999999-5", id="after the last year"),
        pytest.param("older-5-9999999999999999999", id="id too large for the database"),
    ],
)
def test_a_damaged_cursor_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(BadCursorError, match="Start again from the newest"):
        Cursor.parse(text)


@pytest.mark.django_db
def test_neighbours_are_the_next_ones_in_the_history_also_of_the_same_moment() -> None:
    older, newer, newest = (stored_detection(created_at=NOON) for _ in range(3))
    oldest = stored_detection(created_at=NOON - timedelta(seconds=1))
    assert neighbours(newer, Detection.objects.all()) == (newest, older)
    assert neighbours(newest, Detection.objects.all()) == (None, newer)
    assert neighbours(oldest, Detection.objects.all()) == (older, None)


@pytest.mark.django_db
@pytest.mark.parametrize("towards_newer", [True, False])
def test_database_finds_the_cursor_in_the_index(towards_newer: bool) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("needs SQLite: other databases choose their plan by the size of the table")
    cursor = Cursor(towards_newer, NOON, 5)
    order = ("created_at", "id") if towards_newer else ("-created_at", "-id")
    plan = Detection.objects.filter(cursor.beyond()).order_by(*order)[:1].explain()
    assert "SEARCH" in plan
    assert "detection_newest (created_at" in plan
    assert "TEMP B-TREE" not in plan
