"""Counters of the history: writers at once lose nothing, and nothing counted is nothing known."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection, transaction

from detection.history import counters
from detection.history.counters import Key
from detection.models import Tally
from detection.statistics import queries


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_lose_nothing_of_the_same_days_and_months() -> None:
    """Four of them, each in another order of the days: were the rows taken in it, two would wait for each other."""
    keys = [Key(Tally.Kind.PHOTO, date(2026, *day), "", "", "api", "m", 0) for day in ((1, 2), (1, 30), (2, 1), (2, 3))]
    together = threading.Barrier(len(keys))

    def write(turn: int) -> None:
        together.wait(60)
        for _ in range(25):
            with transaction.atomic():
                counters.add(dict.fromkeys((*keys[turn:], *keys[:turn]), 1))
        connection.close()

    with ThreadPoolExecutor(len(keys)) as writers:
        list(writers.map(write, range(len(keys))))
    rows = Tally.objects.order_by("span", "day").values_list("span", "day", "count")
    assert list(rows) == [
        *(("day", key.day, 100) for key in keys),
        ("month", date(2026, 1, 1), 200),
        ("month", date(2026, 2, 1), 200),
    ]


@pytest.mark.django_db
def test_nothing_has_no_classes_and_no_models() -> None:
    assert (counters.class_names(), counters.class_names(1), queries.model_names()) == ([], [], [])
