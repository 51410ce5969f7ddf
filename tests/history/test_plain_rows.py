"""Plain inserts write the rows that the ORM would write."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import models
from django.forms import model_to_dict

from detection.history import plain_rows
from detection.models import DetectedObject, ListEntry
from tests.support.builders import stored_detection

MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


def entry(detection: int, name: str) -> ListEntry:
    return ListEntry(
        detection_id=detection,
        class_name=name,
        source="api",
        lowest=0.1,
        highest=0.9,
        has_changed=True,
        created_at=MOMENT,
    )


def found(detection: int, rank: int) -> DetectedObject:
    return DetectedObject(
        detection_id=detection,
        rank=rank,
        class_id=3,
        class_name="‌кот %s",
        probability=0.1 + 0.2,
        x=1,
        y=2,
        width=3,
        height=4,
        xmin=0.1,
        ymin=0.2,
        xmax=1e-7,
        ymax=1.0,
    )


@pytest.mark.django_db
def test_list_entries_are_those_of_the_orm() -> None:
    detection = stored_detection(("cat", 0.9)).pk
    plain_rows.insert([entry(detection, "plain"), entry(detection, "other")])
    ListEntry.objects.bulk_create([entry(detection, "orm")])
    assert_alike(
        [ListEntry.objects.get(detection=detection, class_name=name) for name in ("plain", "orm")], "class_name"
    )


@pytest.mark.django_db
def test_objects_are_those_of_the_orm() -> None:
    detection = stored_detection(("cat", 0.9)).pk
    plain_rows.insert([found(detection, 7)])
    DetectedObject.objects.bulk_create([found(detection, 8)])
    assert_alike([DetectedObject.objects.get(detection=detection, rank=rank) for rank in (7, 8)], "rank")


def assert_alike(rows: Sequence[models.Model], key: str) -> None:
    ours, theirs = (model_to_dict(row, exclude=["id", key]) for row in rows)
    assert ours == theirs
    assert len(ours) > 5


@pytest.mark.django_db
def test_nothing_is_no_statement(django_assert_num_queries: Callable[[int], Any]) -> None:
    with django_assert_num_queries(0):
        plain_rows.insert([])
