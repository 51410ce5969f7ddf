"""The queue of the measuring sample: which objects it asks for, when a photo is done, and what is left to gain."""

from typing import Any

import pytest
from django.test import Client

from detection.learning.sampling import draw_sample, evidence_of_sample
from detection.models import Detection, Review, SampledObject
from detection.review.queues.measuring import progress_texts
from detection.review.queues.registry import KINDS
from detection.review.service import Reviewer, Statement, judge
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
MODEL = ("mobilenet_ssd_voc", "")


def next_places(client: Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/review/queue", {"order": "measure", "count": 20, **query}).json()
    assert answer["detections"] == [place["detection"] for place in answer["places"]]
    places: list[dict[str, Any]] = answer["places"]
    return places


def test_queue_asks_for_the_drawn_object_below_the_threshold_and_is_done_with_its_verdict(client: Client) -> None:
    detection = stored_detection(("dog", 0.9), ("cat", 0.2))
    draw_sample(MODEL, 2, seed=1)
    (place,) = next_places(client)
    assert place["asked"] == ["0", "1"]
    assert place["reason"].startswith("2 objects of this photo were drawn by chance for measuring. Judge each, even")
    # Done confirms what is reported; the weaker object is still asked for.
    judge(detection, 0, [], Reviewer(name="anna"), reviewed=True)
    assert len(next_places(client)) == 1
    judge(detection, 1, [Statement("1", "rejected")], Reviewer(name="anna"))
    assert next_places(client) == []
    assert len(next_places(client, reviewed=1)) == 1
    judge(detection, 2, [Statement("1", "cleared")], Reviewer(name="anna"))
    assert len(next_places(client)) == 1


def test_photo_that_was_reviewed_before_is_done_only_where_its_drawn_objects_are_judged(client: Client) -> None:
    detection = stored_detection(("dog", 0.9), ("cat", 0.2))
    judge(detection, 0, [], Reviewer(name="anna"), reviewed=True)
    other = stored_detection(("dog", 0.9))
    judge(other, 0, [], Reviewer(name="anna"), reviewed=True)
    draw_sample(MODEL, 3, seed=1)
    assert [place["detection"] for place in next_places(client)] == [str(detection.uuid)]


def test_class_finds_the_drawn_objects_of_it_alone(client: Client) -> None:
    stored_detection(("dog", 0.9), ("cat", 0.2))
    draw_sample(MODEL, 2, seed=1)
    assert len(next_places(client, **{"class": "cat"})) == 1
    assert next_places(client, **{"class": "bird"}) == []


def test_page_shows_the_reason_the_weak_object_and_what_more_verdicts_would_give(client: Client) -> None:
    for number in range(30):
        stored_detection(("dog", 0.9), ("cat", 0.2 + number / 100))
    sample = draw_sample(MODEL, 40, seed=2)
    page = client.get("/review/", {"order": "measure"})
    assert "drawn by chance for measuring" in page.content.decode()
    assert page.context["start"]["place"]["asked"]
    assert any(is_asked for _, _, is_asked in page.context["rows"])
    texts = progress_texts(MODEL, 0.5)
    assert texts[0].startswith("Reported objects: nothing is judged yet. 40 verdicts would tell the precision to about")
    for one in SampledObject.objects.filter(stratum__sample=sample).order_by("position")[:25]:
        version = getattr(Review.objects.filter(detection=one.found.detection_id).first(), "version", 0)
        kind = "confirmed" if one.found.class_name == "dog" else "rejected"
        judge(one.found.detection, version, [Statement(str(one.found.rank), kind)], Reviewer(name="anna"))
    together, others = progress_texts(MODEL, 0.5)
    assert "100.0\xa0% are right" in together
    assert "by 25 verdicts. 15 verdicts more would narrow that to about" in together
    assert others.startswith("Other classes above 0.50: ")
    assert evidence_of_sample(sample).judged == 25


@pytest.mark.parametrize("is_staff", [False, True])
def test_what_the_sample_tells_of_everybodys_photos_is_for_staff(is_staff: bool, client: Client, limits: Any) -> None:
    limits(access="login")
    reader = account("anna", is_staff=is_staff)
    stored_detection(("dog", 0.9), owner=account("owner"))
    stored_detection(("dog", 0.9), owner=reader)
    draw_sample(MODEL, 2, seed=1)
    client.force_login(reader)
    assert bool(client.get("/review/", {"order": "measure"}).context["progress"]) == is_staff


@pytest.mark.parametrize("is_staff", [False, True])
def test_place_of_anothers_photo_is_not_told_by_what_follows_it(is_staff: bool, client: Client, limits: Any) -> None:
    limits(access="login")
    reader = account("anna", is_staff=is_staff)
    unsure, sure = (stored_detection(("dog", chance), owner=reader) for chance in (0.6, 0.9))
    hidden = stored_detection(("dog", 0.75), owner=account("owner"))
    client.force_login(reader)
    asked = {"order": "lowest", "count": "20", "after": str(hidden.uuid)}
    found = client.get("/api/review/queue", asked).json()["detections"]
    assert found == [str(one.uuid) for one in ([sure] if is_staff else [unsure, sure])]


def test_page_of_an_empty_queue_says_what_would_fill_it(client: Client) -> None:
    stored_detection(("dog", 0.9))
    for name, kind in KINDS.items():
        html = client.get("/review/", {"order": name, "class": "bird"}).content.decode()
        assert (str(kind.empty) in html) or not kind.empty
    assert progress_texts(MODEL, 0.5) == []


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("lowest", "The least sure object in it has a probability of 60.0\xa0%."),
        ("newest", "Sent on "),
    ],
)
def test_each_list_says_why_a_photo_is_in_it(client: Client, order: str, reason: str) -> None:
    detection = stored_detection(("dog", 0.9), ("cat", 0.6))
    stored_detection()
    places = client.get("/api/review/queue", {"order": order}).json()["places"]
    mine = next(place for place in places if place["detection"] == str(detection.uuid))
    assert mine["reason"].startswith(reason)
    of_class = client.get("/api/review/queue", {"order": "lowest", "class": "cat"}).json()["places"]
    assert of_class[0]["reason"] == "The least sure cat in it has a probability of 60.0\xa0%."


def test_empty_photo_says_that_nothing_is_reported(client: Client) -> None:
    stored_detection()
    assert client.get("/api/review/queue").json()["places"][0]["reason"] == "The model reports no object in it."
    assert Detection.objects.count() == 1
