"""Two reviewers at one queue: each is handed photos that the other was not."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from detection.accounts.access import ANYBODY
from detection.models import ReviewClaim
from detection.review import claims
from detection.review.queue import Queue
from detection.review.service import Reviewer, judge
from tests.history.test_query_plans import assert_in_order, use_indexes
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db


def reviewer(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_user(name, is_staff=True))
    return client


def next_of(client: Client, **query: Any) -> list[str]:
    found: list[str] = client.get("/api/review/queue", {"count": 2, **query}).json()["detections"]
    return found


def shown(client: Client) -> str:
    return str(client.get("/review/").context["state"].detection.uuid)


def test_reviewers_are_handed_different_photos_until_none_is_left() -> None:
    uuids = [str(stored_detection(("cat", 0.6 + number / 100)).uuid) for number in range(5)]
    anna, bert = reviewer("anna"), reviewer("bert")
    assert next_of(anna) == uuids[:2]
    assert shown(bert) == uuids[2]
    assert next_of(bert, after=uuids[2]) == uuids[3:]
    # Each sees one's own again, and nobody's else.
    assert next_of(anna) == uuids[:2]
    assert next_of(anna, after=uuids[1]) == []
    assert next_of(bert, count=5) == uuids[2:]


def test_photo_that_was_left_alone_comes_to_the_others() -> None:
    uuid = str(stored_detection(("cat", 0.6)).uuid)
    anna, bert = reviewer("anna"), reviewer("bert")
    assert next_of(anna) == [uuid]
    assert next_of(bert) == []
    ReviewClaim.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert next_of(bert) == [uuid]
    assert next_of(anna) == []
    assert ReviewClaim.objects.count() == 1


def test_without_a_login_nothing_is_claimed(client: Client) -> None:
    uuid = str(stored_detection(("cat", 0.6)).uuid)
    assert next_of(client) == [uuid]
    assert not ReviewClaim.objects.exists()
    next_of(reviewer("anna"))
    assert next_of(client) == [uuid]


def test_form_of_a_browser_without_scripts_goes_on_to_a_free_photo() -> None:
    first, second, third = (stored_detection(("cat", 0.6 + number / 100)) for number in range(3))
    anna, bert = reviewer("anna"), reviewer("bert")
    assert next_of(bert, after=str(first.uuid), count=1) == [str(second.uuid)]
    answer = anna.post(f"/review/{first.uuid}/say", {"say": "done", "version": "0"})
    assert answer.headers["Location"] == f"/review/{third.uuid}/"


def test_queue_without_claimed_photos_is_read_from_its_index() -> None:
    for _ in range(3):
        stored_detection(("cat", 0.9))
    use_indexes("sort", "bitmapscan")
    plan = claims.free(Queue().entries(ANYBODY), 1).values_list("detection_id")[:20].explain()
    assert_in_order(plan, "entry_(review_)?lowest")


@pytest.mark.django_db(transaction=True)
def test_reviewers_who_ask_at_once_get_no_photo_twice() -> None:
    for number in range(24):
        stored_detection(("cat", 0.6 + number / 100))
    users = [User.objects.create_user(f"user-{number}") for number in range(4)]
    handed: list[list[Any]] = []
    start = threading.Barrier(len(users))

    def ask(user: User) -> None:
        try:
            start.wait()
            handed.append([place.detection for place in Queue().after(ANYBODY, None, 6, user.pk)])
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [uuid for each in handed for uuid in each]
    assert len(handed) == len(users)
    assert len(set(everything)) == len(everything)
    assert len(everything) >= 6


def test_reviewed_photo_leaves_the_queue_whoever_claimed_it() -> None:
    detection = stored_detection(("cat", 0.6))
    anna = reviewer("anna")
    assert next_of(anna) == [str(detection.uuid)]
    judge(detection, 0, [], Reviewer(name="bert"), reviewed=True)
    assert next_of(anna) == []
