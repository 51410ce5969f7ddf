"""Blind reviews: what follows for the model's objects, what counts as blind, and figures of blind reviews alone."""

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from detection.compare import figures
from detection.errors import RequestError
from detection.history.annotations import objects_of
from detection.history.filters import _narrowing
from detection.inference.types import PixelBox
from detection.models import Detection, Review, Tally, Verdict
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from detection.statistics import queries
from detection.statistics.queries import Scope
from tests.compare.builders import LEFT, MIDDLE, RIGHT, A, B, answer, two_answers
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
ANNA = Reviewer(None, "anna")


def detection_with(*objects: tuple[str, tuple[int, int, int, int]]) -> Detection:
    return answer(stored_detection(model_name="first").photo, A, objects)


def drawn(class_name: str, box: tuple[int, int, int, int]) -> Statement:
    return Statement(None, Verdict.Kind.ADDED, class_name, PixelBox(*box))


def review_blindly(detection: Detection, *statements: Statement) -> review_service.ReviewState:
    """Draw one after the other, then finish."""
    for version, one in enumerate(statements):
        review_service.judge(detection, version, [one], ANNA, blind=True)
    return review_service.judge(detection, len(statements), [], ANNA, reviewed=True, blind=True)


def said(state: review_service.ReviewState) -> list[tuple[str, str, str, int]]:
    return [(one.key, one.kind, one.class_name, one.box.x) for one in state.objects]


def test_drawn_objects_decide_about_those_of_the_model() -> None:
    detection = detection_with(("cat", LEFT), ("motorcycle", MIDDLE), ("dog", RIGHT))
    near = (LEFT[0] + 5, *LEFT[1:])
    state = review_blindly(detection, drawn("cat", near), drawn("motorbike", MIDDLE), drawn("horse", (0, 300, 50, 50)))
    assert said(state) == [
        ("0", "corrected", "cat", 5),
        ("1", "confirmed", "motorcycle", 220),
        ("2", "rejected", "dog", 430),
        ("a3", "added", "horse", 0),
    ]
    assert (state.is_reviewed, state.is_blind, state.can_be_blind) == (True, True, False)
    assert Verdict.objects.exclude(is_blind=True).count() == 0
    assert Tally.objects.filter(kind="corrected", span="day").count() == 1


def test_object_of_another_class_at_the_same_place_is_relabelled() -> None:
    state = review_blindly(detection_with(("cat", LEFT)), drawn("dog", LEFT))
    assert said(state) == [("0", "relabelled", "dog", 0)]


def test_all_of_it_in_one_step_is_the_same() -> None:
    detection = detection_with(("cat", LEFT), ("dog", RIGHT))
    state = review_service.judge(
        detection, 0, [drawn("cat", LEFT), drawn("horse", MIDDLE)], ANNA, reviewed=True, blind=True
    )
    assert said(state) == [
        ("0", "confirmed", "cat", 0),
        ("1", "rejected", "dog", 430),
        ("a1", "added", "horse", 220),
    ]


def test_empty_photo_is_reviewed_blindly() -> None:
    state = review_blindly(detection_with())
    assert (said(state), state.is_blind) == ([], True)


def test_what_was_judged_with_the_boxes_shown_is_not_blind() -> None:
    detection = detection_with(("cat", LEFT), ("dog", RIGHT))
    review_service.judge(detection, 0, [Statement("0", Verdict.Kind.CONFIRMED)], ANNA)
    with pytest.raises(RequestError, match="cannot be reviewed blindly any more"):
        review_service.judge(detection, 1, [drawn("cat", LEFT)], ANNA, blind=True)
    assert not review_service.undo(detection, 1, ANNA).can_be_blind


def test_undo_before_the_end_stays_blind() -> None:
    detection = detection_with(("cat", LEFT))
    review_service.judge(detection, 0, [drawn("dog", LEFT)], ANNA, blind=True)
    review_service.judge(detection, 1, [Statement("a1", Verdict.Kind.REJECTED)], ANNA, blind=True)
    assert review_service.undo(detection, 2, ANNA).can_be_blind
    state = review_service.judge(detection, 3, [], ANNA, reviewed=True, blind=True)
    assert (state.is_blind, said(state)) == (True, [("0", "relabelled", "dog", 0)])


@pytest.mark.parametrize(
    "later",
    [
        lambda detection: review_service.judge(detection, 1, [Statement("0", Verdict.Kind.CONFIRMED)], ANNA),
        lambda detection: review_service.reopen(detection, 1, ANNA),
        lambda detection: review_service.undo(detection, 1, ANNA),
    ],
)
def test_later_step_ends_the_blindness(later: Any) -> None:
    detection = detection_with(("cat", LEFT))
    review_blindly(detection)
    state = later(detection)
    assert not state.is_blind
    assert not Review.objects.get().is_blind
    review_service.judge(detection, 2, [], ANNA, reviewed=True)
    assert not Review.objects.get().is_blind


def test_api_takes_blind_steps_and_says_what_is_possible(client: Client) -> None:
    detection = detection_with(("cat", LEFT))
    url = f"/api/detections/{detection.uuid}/review"
    assert client.get(url).json()["can_be_blind"] is True
    box = {"x": 0, "y": 0, "width": 200, "height": 200}
    body = {"version": 0, "verdicts": [{"verdict": "added", "objectClass": "cat", "box": box}], "blind": True}
    state = client.post(url, json.dumps(body), "application/json").json()
    assert (state["is_blind"], state["can_be_blind"], len(state["objects"])) == (False, True, 2)
    headers = {"Idempotency-Key": "one"}
    body = {"version": 1, "reviewed": True, "blind": True}
    answers = [client.post(url, json.dumps(body), "application/json", headers=headers) for _ in range(2)]
    assert [one.json()["is_blind"] for one in answers] == [True, True]
    assert [one["verdict"] for one in answers[1].json()["objects"]] == ["confirmed"]


def test_lists_and_exports_can_be_of_blind_reviews_alone(client: Client) -> None:
    blind, other = detection_with(("cat", LEFT)), detection_with(("cat", LEFT))
    review_blindly(blind, drawn("cat", LEFT))
    review_service.judge(other, 0, (), ANNA, reviewed=True)
    found = client.get("/api/detections/?blind=1").json()["results"]
    assert [one["id"] for one in found] == [str(blind.uuid)]
    assert [one["id"] for one in client.get("/api/detections/?blind=1&class=cat").json()["results"]] == [
        str(blind.uuid)
    ]
    assert "Reviewed blindly" in client.get("/history/?blind=1").content.decode()
    lines = b"".join(client.get("/api/export?format=jsonl&blind=1")).splitlines()
    assert len(lines) == 1
    out = StringIO()
    call_command("export", "jsonl", "-", "--blind", "1", stdout=out)


def test_dashboard_counts_blind_reviews_alone(client: Client) -> None:
    blind = detection_with(("cat", LEFT), ("dog", RIGHT))
    review_blindly(blind, drawn("cat", LEFT), drawn("horse", MIDDLE))
    for _ in range(2):
        review_service.judge(detection_with(("cat", LEFT)), 0, (), ANNA, reviewed=True)
    scope = Scope(is_blind=True)
    verdicts = queries.verdicts(scope)
    assert [(one.class_name, one.right, one.total) for one in verdicts.judged] == [("cat", 1, 1), ("dog", 0, 1)]
    assert verdicts.added == {"horse": 1}
    assert queries.objects_by_class(scope) == {"cat": 1, "dog": 1}
    (photos,) = queries.photos_over_time(scope).values()
    assert photos == (1, 0)
    assert sum(queries.objects_over_time(scope, ["cat"]).values()) == 2
    assert queries.verdicts(Scope(last=date(2001, 1, 1), is_blind=True)).judged == ()
    assert queries.verdicts(Scope(model_name="other", is_blind=True)).judged == ()
    assert queries.verdicts(Scope(owner_id=7, is_blind=True)).judged == ()
    page = client.get("/dashboard/?blind=1").content.decode()
    assert "Reviewers drew their own boxes before they saw the model" in page
    assert "blind=1" in page
    rejected = client.get("/dashboard/objects/?period=all&kind=rejected&blind=1")
    assert len(rejected.context["shown"]) == rejected.context["total"] == 1
    assert client.get("/dashboard/?blind=2").status_code == 400


def test_comparison_can_rest_on_blind_reviews_alone(client: Client) -> None:
    a, b = two_answers([("cat", LEFT)], [("dog", LEFT)])
    review_service.judge(b, 0, (), ANNA, reviewed=True)
    assert figures.truths_of([a.pk, b.pk], blind=True) == {}
    query = f"/compare/?a={A}&b={B}&truth=blind"
    assert "None of these photos was reviewed blindly." in client.get(query).content.decode()
    review_blindly(a, drawn("cat", LEFT))
    assert [one.class_name for one in figures.truths_of([a.pk, b.pk], blind=True)[a.photo_id]] == ["cat"]
    assert "before they saw a model" in client.get(query).content.decode()


def test_objects_of_a_blind_review_are_what_everybody_reads() -> None:
    detection = detection_with(("cat", LEFT))
    review_blindly(detection, drawn("dog", LEFT))
    found = review_service.reviewable(Detection.objects.all()).get(pk=detection.pk)
    assert [(one.class_name, one.is_there) for one in objects_of(found)] == [("dog", True)]


def test_blind_reviews_are_found_by_their_index() -> None:
    review_blindly(detection_with(("cat", LEFT)))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    (keys, _most), *_ = _narrowing({"blind": "1"})
    assert "review_blind" in keys[:10].explain()
