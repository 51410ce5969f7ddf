"""The lists that grow with the history are read from their indexes, in their order: no scan, no sorting."""

import re
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from detection.accounts.access import ANYBODY
from detection.history import counters
from detection.history.filters import FEW, DetectionFilter, _narrowing
from detection.history.selectors import engines_in_history
from detection.models import Detection
from detection.review.queue import LOWEST, NEWEST, Queue
from detection.statistics import queries
from detection.statistics.queries import Scope
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db

QUEUES = {
    "lowest of all": (Queue(LOWEST), "entry_review_lowest"),
    "lowest of a class": (Queue(LOWEST, "cat"), "entry_review_lowest"),
    "lowest of those done": (Queue(LOWEST, is_reviewed=True), "entry_review_lowest"),
    "newest of all": (Queue(NEWEST), "entry_review_newest"),
    "newest of a class": (Queue(NEWEST, "cat"), "entry_review_newest"),
}


def use_indexes(*not_allowed: str) -> None:
    """A table of three rows is read whole, whatever its indexes: PostgreSQL is told not to. not_allowed: what else."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in ("seqscan", *not_allowed):
                cursor.execute(f"SET LOCAL enable_{name} = off")


@pytest.mark.parametrize("case", QUEUES)
def test_review_queue_is_read_from_its_index(case: str) -> None:
    queue, index = QUEUES[case]
    for _ in range(3):
        stored_detection(("cat", 0.9), ("bird", 0.6))
    use_indexes("sort", "bitmapscan")
    plan = queue.entries(ANYBODY).values_list("detection_id")[:20].explain()
    assert index in plan
    assert "is_reviewed" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def steps_of(statement: str, values: Any) -> str:
    """How the database goes about a statement, one step in a line."""
    word = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{word} {statement}", values)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.parametrize("owner_id", [None, 1])
def test_classes_are_listed_from_one_to_the_next(owner_id: int | None) -> None:
    stored_detection(("cat", 0.9), ("bird", 0.6))
    use_indexes()
    plan = steps_of(*counters.class_names_query(owner_id))
    # PostgreSQL does not tell how it finds what it selects in a step of the recursion, only where it starts and looks.
    assert plan.count("tally_class") == (2 if connection.vendor == "postgresql" else 3)
    assert "one_tally" not in plan
    assert "Seq Scan" not in plan


NUMBERS = {
    "photos": queries.photos_over_time,
    "classes": queries.objects_by_class,
    "objects": queries.objects_over_time,
    "objects of some classes": lambda scope: queries.objects_over_time(scope, ["cat"]),
    "scores": queries.scores,
    "verdicts": queries.verdicts,
}
OF_OBJECTS = {"classes", "objects", "objects of some classes"}
SCOPES = {
    "30 days": Scope(date(2026, 1, 1), date(2026, 1, 30)),
    "half a year": Scope(date(2025, 7, 9), date(2026, 1, 30)),
    "all": Scope(),
    "all of a source": Scope(source="api"),
    "30 days of an owner": Scope(date(2026, 1, 1), date(2026, 1, 30), owner_id=1),
}

PARTS = {"half a year": 3}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_added_up_from_the_days_and_months_that_they_are_of(number: str, scope: str) -> None:
    stored_detection(("cat", 0.9), ("bird", 0.6))
    use_indexes()
    with CaptureQueriesContext(connection) as captured:
        NUMBERS[number](SCOPES[scope])
    (query,) = captured.captured_queries
    plan = steps_of(query["sql"].replace("%", "%%"), ())
    if connection.vendor == "sqlite":
        searches = [line for line in plan.splitlines() if "detection_tally" in line]
        assert len(searches) == PARTS.get(scope, 1)
        days = "(kind=? AND span=? AND day>? AND day<?)" if SCOPES[scope].first else "(kind=? AND span=?)"
        assert all(f"sqlite_autoindex_detection_tally_1 {days}" in line for line in searches)
    else:  # the index of classes has months of objects alone, so it is as good for these
        assert "Seq Scan" not in plan
        assert "one_tally" in plan or ("tally_class" in plan and number in OF_OBJECTS)


# Each filter, and each that goes with an entry, with the index that its page is read from.
FILTERS = {
    "nothing": ({}, "detection_newest"),
    "class": ({"class": "cat"}, "entry_newest"),
    "reviewed": ({"reviewed": "1"}, "entry_review_newest"),
    "not reviewed": ({"reviewed": "0"}, "entry_review_newest"),
    "class, not reviewed": ({"class": "cat", "reviewed": "0"}, "entry_review_newest"),
    "rejected": ({"verdict": "rejected"}, "entry_rejected"),
    "changed, of a class": ({"verdict": "changed", "class": "cat"}, "entry_changed"),
    "added": ({"verdict": "added"}, "entry_added"),
    "rejected, not reviewed": ({"verdict": "rejected", "reviewed": "0"}, "entry_(rejected|review_newest)"),
}


@pytest.mark.parametrize("case", FILTERS)
def test_page_of_the_history_is_read_from_an_index_in_its_order(case: str) -> None:
    given, index = FILTERS[case]
    for _ in range(3):
        stored_detection(("cat", 0.9), ("bird", 0.6))
    use_indexes("sort", "bitmapscan")
    detections = DetectionFilter(given, Detection.objects.all()).qs
    order = ("-listed_at", "-listed_id") if given else ("-created_at", "-id")
    assert_in_order(detections.order_by(*order).values_list("pk")[:25].explain(), index)


# What may be rare is looked for before the page is, and by an index of its own.
RARE = {
    "model": ({"model": "resnet"}, "detection_(name|model)_newest"),
    "version of a model": ({"model": "resnet@2"}, "detection_(name|model)_newest"),
    "source": ({"source": "websocket"}, "detection_source_newest"),
    "engine": ({"engine": "mxnet"}, "detection_engine_newest"),
    "probability": ({"min_probability": "0.99"}, "entry_highest"),
    "probability of a class": ({"min_probability": "0.99", "class": "cat"}, "entry_highest"),
}


@pytest.mark.parametrize("case", RARE)
def test_rare_detections_are_found_by_an_index(case: str) -> None:
    given, index = RARE[case]
    stored_detection(("cat", 0.9))
    use_indexes("sort", "bitmapscan")
    filters = DetectionFilter(given, Detection.objects.all())
    assert filters.is_valid()
    (keys,) = list(_narrowing(filters.form.cleaned_data))
    plan = keys[: FEW + 1].explain()
    assert re.search(index, plan)


def test_engines_are_listed_from_one_to_the_next() -> None:
    for engine in ("openvino", "onnxruntime", "openvino"):
        stored_detection(engine=engine)
    use_indexes("sort", "bitmapscan")
    with CaptureQueriesContext(connection) as captured:
        assert engines_in_history() == ["onnxruntime", "openvino"]
    assert len(captured) == 3
    for query in captured.captured_queries:
        assert_in_order(steps_of(query["sql"].replace("%", "%%"), ()), "detection_engine_newest")


def assert_in_order(plan: str, index: str) -> None:
    assert re.search(index, plan)
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
