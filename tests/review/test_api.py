"""`/api/detections/<id>/review` and the queue: read, say, undo, conflict."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from detection.models import Detection, ListEntry, Verdict
from detection.review import service as review_service
from detection.review.service import Reviewer
from tests.support.accounts import account, token_headers
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
BOX = {"x": 5, "y": 6, "width": 70, "height": 80}


def address(detection: Detection, tail: str = "") -> str:
    return f"/api/detections/{detection.uuid}/review{tail}"


def say(client: Client, detection: Detection, version: int, *verdicts: dict[str, Any], **more: Any) -> Any:
    body = {"version": version, "verdicts": list(verdicts), **more}
    return client.post(address(detection), body, content_type="application/json")


def queue(client: Client, **query: Any) -> list[str]:
    response = client.get("/api/review/queue", query)
    assert response.status_code == 200
    found: list[str] = response.json()["detections"]
    return found


def test_review_tells_the_model_and_what_is_true_now(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("bird", 0.2))
    assert client.get(address(detection)).json() == {
        "detection": str(detection.uuid),
        "version": 0,
        "is_reviewed": False,
        "is_blind": False,
        "can_be_blind": True,
        "reviewed_at": None,
        "reviewed_by": "",
        "photo_name": "photo.jpg",
        "width": 640,
        "height": 480,
        "objects": [judged_json("0", "cat", 0.9, {"x": 10, "y": 20, "width": 300, "height": 200})],
        "weaker": [judged_json("1", "bird", 0.2, {"x": 11, "y": 21, "width": 300, "height": 200})],
        "last_added": 0,
    }


def judged_json(key: str, class_name: str, probability: float, box: dict[str, int]) -> dict[str, Any]:
    """An object that nobody has judged, as the API tells it."""
    model = {"objectClass": class_name, "probability": probability, "box": box}
    return {"object": key, "verdict": "", "objectClass": class_name, "box": box, "by": "", "at": None, "model": model}


def test_weaker_object_is_confirmed_and_open_again_by_undo(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("bird", 0.2))
    said = say(client, detection, 0, {"object": "1", "verdict": "confirmed"}).json()
    assert [(one["object"], one["verdict"]) for one in said["objects"]] == [("0", ""), ("1", "confirmed")]
    assert said["weaker"] == []
    undone = client.post(address(detection, "/undo"), {"version": 1}, content_type="application/json").json()
    assert [one["object"] for one in undone["weaker"]] == ["1"]


def test_number_of_a_drawn_object_is_not_given_twice(client: Client) -> None:
    detection = stored_detection()
    drawn = {"verdict": "added", "objectClass": "moon", "box": {"x": 1, "y": 2, "width": 3, "height": 4}}
    assert say(client, detection, 0, drawn).json()["last_added"] == 1
    assert say(client, detection, 1, {"object": "a1", "verdict": "rejected"}).json()["last_added"] == 1
    assert [one["object"] for one in say(client, detection, 2, drawn).json()["objects"]] == ["a2"]


def test_step_of_all_kinds_is_taken_at_once(client: Client) -> None:
    detection = stored_detection(*[("cat", 0.9 - rank / 100) for rank in range(5)])
    answer = say(
        client,
        detection,
        0,
        {"object": "0", "verdict": "confirmed"},
        {"object": "1", "verdict": "rejected"},
        {"object": "2", "verdict": "relabelled", "objectClass": "dog"},
        {"object": "3", "verdict": "corrected", "box": BOX},
        {"verdict": "added", "objectClass": "bird", "box": BOX},
        reviewed=True,
    ).json()
    assert (answer["version"], answer["is_reviewed"]) == (1, True)
    assert [(one["object"], one["verdict"], one["objectClass"]) for one in answer["objects"]] == [
        ("0", "confirmed", "cat"),
        ("1", "rejected", "cat"),
        ("2", "relabelled", "dog"),
        ("3", "corrected", "cat"),
        ("4", "confirmed", "cat"),
        ("a1", "added", "bird"),
    ]
    assert [one["box"] == BOX for one in answer["objects"]] == [False, False, False, True, False, True]
    assert client.get(address(detection)).json() == answer
    models = client.get(f"/api/detections/{detection.uuid}/").json()["objects"]
    assert {one["objectClass"] for one in models} == {"cat"}


def test_undo_is_a_step_that_says_what_was_before(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    say(client, detection, 0, {"object": "0", "verdict": "rejected"}, reviewed=True)
    answer = client.post(address(detection, "/undo"), {"version": 1}, content_type="application/json")
    assert (answer.status_code, answer.json()["version"], answer.json()["is_reviewed"]) == (200, 2, False)
    assert answer.json()["objects"][0]["verdict"] == ""
    again = client.post(address(detection, "/undo"), {"version": 2}, content_type="application/json")
    assert (again.status_code, "nothing to undo" in again.json()["error"]) == (400, True)


@pytest.mark.parametrize("tail", ["", "/undo"])
def test_who_comes_second_gets_409_with_what_the_first_has_said(tail: str, client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    review_service.judge(detection, 0, [review_service.Statement("0", "rejected")], Reviewer(name="anna"))
    body = {"version": 0, "verdicts": [{"object": "0", "verdict": "confirmed"}]}
    answer = client.post(address(detection, tail), body, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("anna has changed the review of this photo meanwhile.")
    assert answer.json()["review"] == client.get(address(detection)).json()
    assert answer.json()["review"]["objects"][0]["verdict"] == "rejected"
    assert Verdict.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({"verdicts": []}, "version: This field is required.", id="no version"),
        pytest.param({"version": 0}, "Nothing is said", id="nothing"),
        pytest.param({"version": 0, "verdicts": [{"object": "0", "verdict": "yes"}]}, "not a valid choice", id="kind"),
        pytest.param(
            {"version": 0, "verdicts": [{"object": "0", "verdict": "corrected", "box": {**BOX, "x": 600}}]},
            "does not lie within the photo",
            id="box outside",
        ),
        pytest.param({"version": 0, "verdicts": [{"object": "99", "verdict": "rejected"}]}, "no object '99'", id="key"),
        pytest.param(
            {"version": 0, "verdicts": [{"object": str(one), "verdict": "rejected"} for one in range(501)]},
            "At most 500",
            id="too many",
        ),
    ],
)
def test_what_cannot_be_said_is_answered_with_a_sentence(body: Any, sentence: str, client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    answer = client.post(address(detection), body, content_type="application/json")
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_reviewer_is_the_one_of_the_token_or_of_the_login(limits: Any, client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    client.force_login(account("anna"))
    answer = say(client, detection, 0, {"object": "0", "verdict": "rejected"}).json()
    assert answer["objects"][0]["by"] == "anna"
    limits(access="login")
    body = {"version": 1, "reviewed": True}
    staff = token_headers(account("ben", is_staff=True))
    answer = Client().post(address(detection), body, content_type="application/json", headers=staff).json()
    assert (answer["reviewed_by"], answer["objects"][0]["by"]) == ("ben", "anna")


def test_nobody_reviews_what_belongs_to_others(limits: Any) -> None:
    limits(access="login")
    owner, other = account("owner"), account("other")
    detection = stored_detection(("cat", 0.9), owner=owner)
    body = {"version": 0, "reviewed": True}
    ends = [
        Client().post(address(detection), body, content_type="application/json", headers=token_headers(one)).status_code
        for one in (other, owner)
    ]
    assert ends == [404, 200]
    assert Client().get("/api/review/queue?reviewed=1", headers=token_headers(other)).json()["detections"] == []
    assert len(Client().get("/api/review/queue?reviewed=1", headers=token_headers(owner)).json()["detections"]) == 1


def test_queue_begins_with_the_lowest_probability_or_the_newest(client: Client) -> None:
    made = {
        name: str(stored_detection(*objects, created_at=NOON + timedelta(days=day)).uuid)
        for day, (name, objects) in enumerate(
            {"sure": [("cat", 0.99)], "two": [("cat", 0.9), ("dog", 0.55)], "weak": [("dog", 0.6)], "none": []}.items()
        )
    }
    assert queue(client) == [made[name] for name in ("two", "weak", "sure", "none")]
    assert queue(client, order="newest") == [made[name] for name in ("none", "weak", "two", "sure")]
    assert queue(client, **{"class": "cat"}) == [made[name] for name in ("two", "sure")]
    assert queue(client, **{"class": "dog", "order": "newest"}) == [made[name] for name in ("weak", "two")]
    assert queue(client, count=1, after=made["two"]) == [made["weak"]]
    say(client, Detection.objects.get(uuid=made["two"]), 0, reviewed=True)
    assert queue(client) == [made[name] for name in ("weak", "sure", "none")]
    # Behind one that is done meanwhile the queue goes on from where it was.
    assert queue(client, after=made["two"]) == [made[name] for name in ("weak", "sure", "none")]
    assert queue(client, reviewed=1) == [made["two"]]


def test_equal_places_in_the_queue_follow_each_other(client: Client) -> None:
    made = [str(stored_detection(("cat", 0.7), created_at=NOON).uuid) for _ in range(3)]
    assert queue(client) == made
    assert queue(client, after=made[0]) == made[1:]
    assert queue(client, order="newest", after=made[2]) == [made[1], made[0]]
    assert ListEntry.objects.count() == 6


@pytest.mark.parametrize("query", ["order=best", "reviewed=yes", "after=5", "count=0", "count=21"])
def test_queue_refuses_what_it_does_not_know(query: str, client: Client) -> None:
    name = query.partition("=")[0]
    answer = client.get(f"/api/review/queue?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}: ")
