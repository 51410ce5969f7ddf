"""The lists that grow with the history are read from their indexes, in their order: no scan, no sorting."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from detection.accounts.access import ANYBODY
from detection.history import counters, photo_names
from detection.history.filters import DetectionFilter, _narrowing
from detection.history.selectors import engines_in_history
from detection.models import Detection, QueuePlace
from detection.review.queue import Queue
from detection.review.queues.listed import LOWEST, NEWEST
from detection.review.queues.registry import KINDS
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


PLACES = sorted(KINDS.keys() - {"lowest", "newest"})


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
    # Of a table without statistics, PostgreSQL cannot tell which of two indexes in this order is the shorter one.
    assert index in plan or (connection.vendor == "postgresql" and index.replace("review_", "") in plan)
    assert "is_reviewed" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("class_name", ["", "cat"])
@pytest.mark.parametrize("name", PLACES)
def test_places_of_a_queue_are_read_from_their_index(name: str, class_name: str) -> None:
    for number in range(3):
        detection = stored_detection(("cat", 0.9))
        QueuePlace.objects.create(queue=name, detection=detection, position=number)
    use_indexes("sort", "bitmapscan")
    plan = Queue(KINDS[name], class_name).entries(ANYBODY).values_list("detection_id")[:20].explain()
    assert_in_order(plan, "place_in_queue")
    assert "is_done" in plan
    assert not re.search(r"SCAN |Seq Scan", plan)


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
    if connection.vendor == "sqlite":
        assert plan.count("USING COVERING INDEX entry_newest (class_name>?)") == 2
        assert ("entry_owner" in plan) == (owner_id is not None)
    else:
        assert plan.count("entry_") >= 2
    assert "Seq Scan" not in plan


NUMBERS = {
    "photos": queries.photos_over_time,
    "classes": queries.objects_by_class,
    "objects": queries.objects_over_time,
    "objects of some classes": lambda scope: queries.objects_over_time(scope, ["cat"]),
    "scores": queries.scores,
    "verdicts": queries.verdicts,
}
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
    else:
        assert "Seq Scan" not in plan
        assert "one_tally" in plan


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


OR_HIGHEST = "|entry_highest" if connection.vendor == "postgresql" else ""
# What may be rare is looked for before the page is, and by an index of its own.
RARE = {
    "model": ({"model": "resnet"}, "detection_(name|model)_newest"),
    "version of a model": ({"model": "resnet@2"}, "detection_(name|model)_newest"),
    "source": ({"source": "websocket"}, "detection_source_newest"),
    "engine": ({"engine": "mxnet"}, "detection_engine_newest"),
    "probability": ({"min_probability": "0.99"}, "entry_highest"),
    "part of a name": ({"name": "photo"}, "detection_detection_photo_id"),
    "probability of a class": ({"min_probability": "0.99", "class": "cat"}, "entry_highest"),
    # Of a table without statistics, PostgreSQL cannot tell which of the two is better.
    "low probability": ({"max_probability": "0.1"}, f"entry_review_lowest{OR_HIGHEST}"),
    "low probability of a class": ({"max_probability": "0.1", "class": "cat"}, f"entry_review_lowest{OR_HIGHEST}"),
}


@pytest.mark.parametrize("case", RARE)
def test_rare_detections_are_found_by_an_index(case: str) -> None:
    given, index = RARE[case]
    stored_detection(("cat", 0.9))
    use_indexes("sort", "bitmapscan")
    filters = DetectionFilter(given, Detection.objects.all())
    assert filters.is_valid()
    ((keys, most),) = list(_narrowing(filters.form.cleaned_data))
    plan = keys[: most + 1].explain()
    assert re.search(index, plan)


def test_corrections_of_probable_objects_are_found_by_their_own_index() -> None:
    stored_detection(("cat", 0.9))
    use_indexes("sort", "bitmapscan")
    filters = DetectionFilter({"min_probability": "0.5", "verdict": "added"}, Detection.objects.all())
    assert filters.is_valid()
    (_, (keys, most)) = list(_narrowing(filters.form.cleaned_data))
    assert "entry_added" in keys[: most + 1].explain()


def test_class_that_is_left_out_is_not_looked_for(django_assert_num_queries: Callable[[int], Any]) -> None:
    stored_detection(("cat", 0.9))
    with django_assert_num_queries(0):
        assert list(DetectionFilter({"class": "cat", "not_class": "cat"}, Detection.objects.all()).qs) == []


def test_part_of_a_name_is_found_by_the_index_of_trigrams() -> None:
    stored_detection(original_name="IMG_0042.JPG")
    use_indexes("sort")
    with CaptureQueriesContext(connection) as captured:
        assert len(photo_names.newest_called("g_004", 10)) == 1
    plan = steps_of(captured.captured_queries[-1]["sql"].replace("%", "%%"), ())
    # FTS5 tells its plan as the number of a virtual table's index: M is a MATCH.
    assert "photo_name_part" in plan or re.search(r"detection_photo_names VIRTUAL TABLE INDEX \d+:[^ ]*M", plan)
    assert "Seq Scan" not in plan


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
