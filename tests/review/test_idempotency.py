"""Steps sent again under their key: stored once, answered alike; a key belongs to its caller and its step."""

import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from detection.history.deletion import delete_detection
from detection.maintenance import expired_rows
from detection.models import Detection, SentStep, Verdict
from detection.review import idempotency
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from tests.support.accounts import account, token_headers
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
REJECTED = {"verdicts": [{"object": "0", "verdict": "rejected"}], "reviewed": True}


def send(
    client: Client, detection: Detection, body: dict[str, Any], key: str = KEY, tail: str = "", **headers: str
) -> Any:
    address = f"/api/detections/{detection.uuid}/review{tail}"
    headers = {idempotency.HEADER: key, **headers}
    return client.post(address, json.dumps(body), content_type="application/json", headers=headers)


def change(detection: Detection, version: int) -> None:
    review_service.judge(
        detection, version, [Statement("0", "relabelled", "dog")], Reviewer(name="anna"), reviewed=False
    )


@pytest.mark.parametrize("changes", [0, 1], ids=["nothing between", "changed by another between"])
def test_step_sent_again_is_stored_once_and_answered_alike(changes: int, client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.8))
    first = send(client, detection, {"version": 0, **REJECTED})
    assert (first.status_code, first.headers.get("Idempotent-Replayed")) == (200, None)
    for number in range(changes):
        change(detection, 1 + number)
    before = Verdict.objects.count()
    again = send(client, detection, {"version": 0, **REJECTED})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.content == first.content
    assert Verdict.objects.count() == before
    assert first.json()["is_reviewed"] is True
    assert first.json()["reviewed_at"] is not None


def test_undo_sent_again_takes_one_step_back(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    send(client, detection, {"version": 0, **REJECTED}, "step")
    first, again = (send(client, detection, {"version": 1}, "back", "/undo") for _ in range(2))
    assert (first.json()["version"], first.json()["is_reviewed"]) == (2, False)
    assert again.content == first.content
    assert set(Verdict.objects.values_list("step", flat=True)) == {1, 2}


def test_steps_queued_without_a_network_are_sent_again_from_any_point(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    queued: list[tuple[str, str, dict[str, Any]]] = [
        ("one", "", {"version": 0, "verdicts": [{"object": "0", "verdict": "rejected"}]}),
        ("two", "", {"version": 1, "verdicts": [{"object": "0", "verdict": "relabelled", "objectClass": "dog"}]}),
        ("three", "/undo", {"version": 2}),
    ]
    answers = [send(client, detection, body, key, tail).json() for key, tail, body in queued]
    assert [one["version"] for one in answers] == [1, 2, 3]
    assert [send(client, detection, body, key, tail).json() for key, tail, body in queued] == answers


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        pytest.param("", {"version": 0, "verdicts": [{"object": "0", "verdict": "confirmed"}]}, id="other verdict"),
        pytest.param("", {"version": 1, **REJECTED}, id="other version"),
        pytest.param("/undo", {"version": 1}, id="other operation"),
    ],
)
def test_key_of_another_step_is_refused_and_nothing_is_stored(tail: str, body: dict[str, Any], client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    send(client, detection, {"version": 0, **REJECTED})
    answer = send(client, detection, body, tail=tail)
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "This Idempotency-Key was used for another step. Nothing was stored: send the step under a key of its "
        "own."
    }
    assert send(client, stored_detection(("cat", 0.9)), {"version": 0, **REJECTED}).status_code == 422
    assert set(Verdict.objects.values_list("step", flat=True)) == {1}


def test_defaults_that_are_spelled_out_are_the_same_step(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    short: dict[str, Any] = {"version": 0, "verdicts": [{"object": "0", "verdict": "rejected"}]}
    long = {"reviewed": None, "verdicts": [{"box": None, "objectClass": None, **short["verdicts"][0]}], "version": 0}
    assert send(client, detection, short).content == send(client, detection, long, f'"{KEY}"').content


def test_refused_step_leaves_no_key(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    change(detection, 0)
    assert send(client, detection, {"version": 0, **REJECTED}).status_code == 409
    assert send(client, detection, {"version": 1, "verdicts": []}).status_code == 400
    assert SentStep.objects.count() == 0
    assert send(client, detection, {"version": 1, **REJECTED}).status_code == 200


@pytest.mark.parametrize("key", ["", '""', "a" * 256, "two words", 'half"', "b\\c", "caf\xe9"])
def test_key_that_cannot_be_used_is_refused(key: str, client: Client) -> None:
    answer = send(client, stored_detection(("cat", 0.9)), {"version": 0, **REJECTED}, key)
    assert (answer.status_code, "Send 1 to 255 visible characters" in answer.json()["error"]) == (400, True)
    assert Verdict.objects.count() == 0


def test_key_belongs_to_its_caller(client: Client, limits: Any) -> None:
    limits(access="login")
    anna, ben = account("anna"), account("ben", is_staff=True)
    detections = [stored_detection(("cat", 0.9), owner=anna), stored_detection(("cat", 0.9), owner=ben)]
    sent = [
        send(client, detection, {"version": 0, **REJECTED}, **token_headers(user)).status_code
        for detection, user in zip(detections, (anna, ben), strict=True)
    ]
    assert sent == [200, 200]
    # Staff see Anna's photo, and are not answered with her step.
    theirs = send(client, detections[0], {"version": 0, **REJECTED}, "other", **token_headers(ben))
    assert (theirs.status_code, theirs.json()["review"]["version"]) == (409, 1)
    assert send(client, detections[1], {"version": 0, **REJECTED}, **token_headers(anna)).status_code == 404


def test_keys_go_with_their_detection_and_after_their_time(client: Client) -> None:
    detections = [stored_detection(("cat", 0.9)) for _ in range(3)]
    for number, detection in enumerate(detections):
        send(client, detection, {"version": 0, **REJECTED}, str(number))
    delete_detection(detections[0])
    assert SentStep.objects.count() == 2
    SentStep.objects.filter(detection=detections[1]).update(created_at=timezone.now() - SentStep.KEPT - timedelta(1))
    assert expired_rows.remove_expired() == 1
    late = send(client, detections[1], {"version": 0, **REJECTED}, "1")
    assert (late.status_code, late.json()["review"]["version"]) == (409, 1)
    assert send(client, detections[2], {"version": 0, **REJECTED}, "2").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_step_sent_several_times_at_once_is_stored_once() -> None:
    detection = stored_detection(("cat", 0.9))
    answers: list[Any] = []
    together = threading.Barrier(4)

    def step() -> None:
        together.wait(30)
        try:
            answers.append(send(Client(), detection, {"version": 0, **REJECTED}))
        finally:
            connection.close()

    _in_threads(step, 4)
    assert [one.status_code for one in answers] == [200] * 4
    assert len({one.content for one in answers}) == 1
    assert sum("Idempotent-Replayed" not in one.headers for one in answers) == 1
    assert set(Verdict.objects.values_list("step", flat=True)) == {1}


def test_form_sent_twice_goes_on_as_if_sent_once(client: Client) -> None:
    """A button without scripts that is pressed twice; another one of the same page is a step of its own."""
    detection = stored_detection(("cat", 0.9))
    page = client.get(f"/review/{detection.uuid}/").content.decode()
    (key,) = set(re.findall(r'name="key" value="([^"]+)"', page))
    form = {"version": 0, "key": key, "object": "0", "say": "rejected"}
    for _ in range(2):
        answer = client.post(f"/review/{detection.uuid}/say", form, follow=True)
        assert [str(one) for one in answer.context["messages"]] == []
    assert Verdict.objects.count() == 1
    answer = client.post(f"/review/{detection.uuid}/say", {**form, "say": "confirmed"}, follow=True)
    assert "has changed the review of this photo meanwhile" in str(next(iter(answer.context["messages"])))
    assert client.get(f"/review/{detection.uuid}/").content.decode().count(key) == 0


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
