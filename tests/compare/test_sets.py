"""The page of two models over a set: pairs, filters, windows, who may see, and its plans."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from detection.accounts.access import ANYBODY
from detection.compare import window
from detection.compare.window import ModelName, window_of
from detection.history import trash
from detection.history.filters import DetectionFilter
from detection.history.selectors import visible_detections
from detection.models import Album, AlbumPhoto, Detection
from detection.review import service as review_service
from detection.review.service import Reviewer
from tests.compare.builders import LEFT, MIDDLE, RIGHT, A, B, answer, two_answers
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
BOTH = f"a={A}&b={B}"
MODELS = (ModelName.parse(A), ModelName.parse(B))


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/compare/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def names(body: str) -> list[str]:
    return [part.partition('"')[0] for part in body.split('data-name="')[1:]]


@pytest.fixture
def three(client: Client) -> list[tuple[Detection, Detection]]:
    """Photos in which both agree, A has a cat of its own, and B has a dog of its own."""
    return [
        two_answers([("cat", LEFT)], [("cat", LEFT)], "agree.jpg"),
        two_answers([("cat", LEFT), ("cat", RIGHT)], [("cat", LEFT)], "only_a.jpg"),
        two_answers([("cat", LEFT)], [("cat", LEFT), ("dog", MIDDLE)], "only_b.jpg"),
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["only_b.jpg", "only_a.jpg", "agree.jpg"]),
        ("&only=a", ["only_a.jpg"]),
        ("&only=b", ["only_b.jpg"]),
        ("&only=differ", ["only_b.jpg", "only_a.jpg"]),
        ("&only=agree", ["agree.jpg"]),
        ("&only=a&of=dog", []),
        ("&only=b&of=dog", ["only_b.jpg"]),
        ("&class=dog", ["only_b.jpg"]),
        ("&name=agree", ["agree.jpg"]),
        ("&model=model_b", ["only_b.jpg", "only_a.jpg", "agree.jpg"]),
    ],
)
def test_pairs_are_shown_by_who_alone_found_something(client: Client, three: Any, query: str, shown: list[str]) -> None:
    assert names(page(client, BOTH + query)) == shown


def test_album_is_a_set(client: Client, three: list[tuple[Detection, Detection]]) -> None:
    album = Album.objects.create(name="Some")
    AlbumPhoto.objects.create(album=album, detection=three[0][1])
    body = page(client, f"{BOTH}&album={album.uuid}")
    assert names(body) == ["agree.jpg"]
    assert "Album: Some" in body


def test_figures_lead_to_their_photos(client: Client, three: Any) -> None:
    body = page(client, BOTH)
    assert "3 photos were answered by both." in body
    assert "only=b&amp;of=dog" in body
    assert "None of these photos is reviewed." in body
    review_service.judge(three[1][0], 0, (), Reviewer(), reviewed=True)
    assert "in 1 reviewed photo." in page(client, BOTH)


def test_newest_answer_of_a_model_counts_and_deleted_ones_do_not(client: Client) -> None:
    _a, b = two_answers([("cat", LEFT)], [("cat", LEFT)])
    newer = answer(b.photo, B, [("dog", LEFT)])
    assert str(newer.uuid) in page(client, BOTH)
    trash.remove(newer)
    assert str(b.uuid) in page(client, BOTH)
    trash.remove(b)
    assert "0 photos were answered by both." in page(client, BOTH)


def test_photos_without_an_answer_are_counted_where_the_model_can_be_asked(client: Client) -> None:
    stored_detection(("cat", 0.9), model_name="nanodet_plus_m", model_version="1.0")
    stored_detection(("cat", 0.9), model_name="nanodet_plus_m", model_version="1.0")
    body = page(client, "a=nanodet_plus_m@1.0&b=mobilenet_ssd_voc@1.0")
    assert "Ask mobilenet_ssd_voc@1.0 about the 2 photos that it has not answered" in body
    assert 'data-ask="mobilenet_ssd_voc@1.0"' in body
    assert "Ask nanodet" not in body
    assert "data-ask" not in page(client, "a=nanodet_plus_m@1.0&b=gone@1.0")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (f"a={A}&b={A}", "Choose two different models."),
        (f"{BOTH}&min_probability=none", "This set cannot be read."),
        (f"{BOTH}&cursor=none", "is damaged"),
    ],
)
def test_what_cannot_be_compared_is_said(client: Client, query: str, sentence: str) -> None:
    answer = client.get(f"/compare/?{query}")
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)


def test_first_visit_offers_the_models(client: Client) -> None:
    two_answers([], [])
    body = page(client)
    assert f"<option>{A}</option>" in body
    assert "answered by both" not in body


def test_others_answers_are_no_part_of_a_pair(client: Client, limits: Any) -> None:
    limits(access="login")
    owner, other = account("owner"), account("other")
    a, _b = two_answers([("cat", LEFT)], [("cat", LEFT)], owner=owner)
    Detection.objects.filter(pk=_b.pk).update(owner=other)
    client.force_login(owner)
    assert "0 photos were answered by both." in page(client, BOTH)
    answer(a.photo, B, [], owner=owner)
    assert "1 photo was answered by both." in page(client, BOTH)


def window_over(filters: dict[str, str], cursor: Any = None) -> window.Window:
    return window_of(DetectionFilter(filters, visible_detections(ANYBODY)).qs, *MODELS, ANYBODY, cursor)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two pairs, read in chunks of two."""
    monkeypatch.setattr(window, "MAX_PAIRS", 2)
    monkeypatch.setattr(window, "_CHUNK", 2)


def test_windows_follow_each_other(small: None, three: list[tuple[Detection, Detection]]) -> None:
    first = window_over({"model": "model_b"})
    assert [pair.b.pk for pair in first.pairs] == [three[2][1].pk, three[1][1].pk]
    assert first.older is not None
    second = window_over({"model": "model_b"}, first.older)
    assert ([pair.b.pk for pair in second.pairs], second.older) == ([three[0][1].pk], None)


def test_few_answers_are_found_in_a_large_set(monkeypatch: pytest.MonkeyPatch) -> None:
    a, _b = two_answers([("cat", LEFT)], [])
    for _ in range(4):
        stored_detection(("cat", 0.9), model_name="model_a", model_version="1.0")
    monkeypatch.setattr(window, "MAX_LOOKED_AT", 3)
    monkeypatch.setattr(window, "FEW", 1)
    found = window_over({"model": "model_a"})
    assert ([pair.a.pk for pair in found.pairs], found.looked_at, found.is_narrowed) == ([a.pk], 1, True)
    monkeypatch.setattr(window, "FEW", 0)
    found = window_over({"model": "model_a"})
    assert (found.is_narrowed, found.lacking_b) == (False, 4)


@pytest.mark.parametrize("filters", [{}, {"class": "cat"}, {"model": "model_a"}])
def test_window_scans_no_table(three: Any, filters: dict[str, str]) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        window_over(filters)
    word = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    for query in queries.captured_queries:
        if "INDEXED BY" in query["sql"] or not query["sql"].startswith("SELECT"):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"{word} {query['sql'].replace('%', '%%')}")
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
        # The trash and the points of thresholds are few.
        scans = [line for line in plan.splitlines() if "SCAN detection_" in line or "Seq Scan" in line]
        scans = [line for line in scans if "INDEX" not in line and "removal" not in line and "pointclass" not in line]
        assert scans == [], query["sql"]
