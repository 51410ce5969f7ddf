"""The lists that grow with the history are read from their indexes, in their order: no scan, no sorting."""

import pytest
from django.db import connection

from detection.access import ANYBODY
from detection.review_queue import LOWEST, NEWEST, Queue
from tests.builders import stored_detection

pytestmark = pytest.mark.django_db

QUEUES = {
    "lowest of all": (Queue(LOWEST), "entry_review_lowest"),
    "lowest of a class": (Queue(LOWEST, "cat"), "entry_review_lowest"),
    "lowest of those done": (Queue(LOWEST, is_reviewed=True), "entry_review_lowest"),
    "newest of all": (Queue(NEWEST), "entry_review_newest"),
    "newest of a class": (Queue(NEWEST, "cat"), "entry_review_newest"),
}


@pytest.mark.parametrize("case", QUEUES)
def test_review_queue_is_read_from_its_index(case: str) -> None:
    queue, index = QUEUES[case]
    for _ in range(3):
        stored_detection(("cat", 0.9), ("bird", 0.6))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # a table of three rows is read whole, whatever its indexes
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
            )
    plan = queue.entries(ANYBODY).values_list("detection_id")[:20].explain()
    assert index in plan
    assert "is_reviewed" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
