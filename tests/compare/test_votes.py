"""Blind votes: what the page tells, what is recorded, and how it comes out."""

import json
from typing import Any
from unittest import mock

import pytest
from django.test import Client

from detection.accounts import throttling
from detection.accounts.access import ANYBODY
from detection.accounts.throttling import Limiter
from detection.compare import votes
from detection.compare.votes import VoteCounts
from detection.conf import Rate, Throttle
from detection.models import Detection, Vote
from detection.review.service import Reviewer
from tests.compare.builders import LEFT, MIDDLE, A, B, two_answers
from tests.compare.test_figures import pair
from tests.support.accounts import account

pytestmark = pytest.mark.django_db
QUERY = f"a={A}&b={B}"


def tokens(client: Client, query: str = QUERY) -> list[str]:
    body = client.get(f"/compare/vote/?{query}").content.decode()
    if "vote-tokens" not in body:
        return []
    found: list[str] = json.loads(
        body.partition('id="vote-tokens" type="application/json">')[2].partition("</script>")[0]
    )
    return found


def cast(client: Client, token: str, choice: str) -> Any:
    return client.post("/compare/vote/cast/", json.dumps({"token": token, "choice": choice}), "application/json")


def differing(count: int = 1) -> list[tuple[Detection, Detection]]:
    return [two_answers([("motorcycle", LEFT)], [("motorbike", MIDDLE)]) for _ in range(count)]


def side_of(client: Client, token: str, detection: Detection) -> str:
    """On which side a detection is shown, by its box."""
    sides = client.get("/compare/vote/pair/", {"token": token}).json()["sides"]
    place = detection.objects_found.get().x
    return "left" if sides[0][0][2] == place else "right"


def test_pair_is_shown_without_what_tells_the_models_apart(client: Client) -> None:
    two_answers([("cat", LEFT)], [("cat", LEFT)])
    differing()
    (token,) = tokens(client)
    body = client.get("/compare/vote/pair/", {"token": token}).json()
    assert sorted(body["sides"]) == [
        [["motorbike", None, 0, 0, 200, 200, False]],
        [["motorbike", None, 220, 0, 200, 200, False]],
    ]
    assert "model" not in json.dumps(body)


def test_sides_and_photos_come_in_random_order(client: Client) -> None:
    a, _b = differing(12)[0]
    orders = [tokens(client) for _ in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert {side_of(client, token, a) for order in orders for token in order} == {"left", "right"}


@pytest.mark.parametrize("choice", ["left", "right", "both", "neither"])
def test_vote_is_recorded_with_its_person_whatever_the_side(client: Client, choice: str) -> None:
    client.force_login(account("anna"))
    a, b = differing()[0]
    (token,) = tokens(client)
    side = side_of(client, token, a)
    assert cast(client, token, choice).status_code == 201
    vote = Vote.objects.get()
    expected = {"both": "both", "neither": "neither", side: "one"}.get(choice, "other")
    assert (vote.one, vote.other, vote.choice, vote.user_name) == (a, b, expected, "anna")
    assert tokens(client) == []
    for query in (QUERY, f"a={B}&b={A}"):
        assert "Nobody has voted yet." not in client.get(f"/compare/?{query}").content.decode()


def test_result_counts_the_newest_vote_of_each_person() -> None:
    a, b = differing()[0]
    for name, choice in (
        ("anna", "other"),
        ("anna", "one"),
        ("boris", "other"),
        ("clara", "both"),
        ("dora", "neither"),
    ):
        Vote.objects.create(one=a, other=b, choice=choice, user_name=name)
    assert votes.counts_of([pair(a, b)]) == VoteCounts(a=1, b=1, both=1, neither=1)
    assert votes.counts_of([pair(b, a)]) == VoteCounts(a=1, b=1, both=1, neither=1)
    Vote.objects.create(one=a, other=b, choice="one", user_name="boris")
    assert votes.counts_of([pair(a, b)]) == VoteCounts(a=2, both=1, neither=1)
    assert votes.counts_of([pair(b, a)]) == VoteCounts(b=2, both=1, neither=1)


def test_result_has_the_interval_of_the_sign_test(client: Client) -> None:
    for place, (a, b) in enumerate(differing(14)):
        Vote.objects.create(one=a, other=b, choice="one" if place < 12 else "other")
    body = client.get(f"/compare/?{QUERY}").content.decode().replace("\N{NO-BREAK SPACE}", " ")
    assert "85.7 % are for A (95 % interval 57.2 % to 98.2 %; p = 0.013, sign test)" in body
    assert VoteCounts(both=3).interval is None


def test_vote_of_another_person_is_still_asked_for(client: Client) -> None:
    a, b = differing()[0]
    Vote.objects.create(one=a, other=b, choice="one", user_name="anna")
    assert votes.tokens_of([pair(a, b)], Reviewer(None, "anna")) == []
    assert len(votes.tokens_of([pair(a, b)], Reviewer(None, "boris"))) == 1


def test_what_is_no_vote_is_refused(client: Client) -> None:
    a, _b = differing()[0]
    (token,) = tokens(client)
    assert "no such vote" in cast(client, token, "maybe").json()["error"]
    assert "damaged" in cast(client, f"{token}x", "left").json()["error"]
    assert client.post("/compare/vote/cast/", "[]", "application/json").status_code == 400
    a.delete()
    assert "deleted meanwhile" in cast(client, token, "left").json()["error"]
    assert Vote.objects.count() == 0
    assert client.get("/compare/vote/").status_code == 400


def test_others_photos_are_not_voted_on(client: Client, limits: Any) -> None:
    a, b = two_answers([("cat", LEFT)], [], owner=account("owner"))
    (token,) = votes.tokens_of([pair(a, b)], Reviewer())
    assert votes.blind_body(token, ANYBODY)["width"] == 640
    limits(access="login")
    client.force_login(account("other"))
    assert cast(client, token, "left").status_code == 400
    assert client.get("/compare/vote/pair/", {"token": token}).status_code == 400


def test_vote_that_is_sent_again_is_recorded_once(client: Client) -> None:
    differing()
    client.force_login(account("anna"))
    (token,) = tokens(client)
    for choice in ("left", "left", "right", "left"):
        assert cast(client, token, choice).status_code == 201
    assert Vote.objects.count() == 3


def test_votes_of_a_caller_are_limited(client: Client, limits: Any) -> None:
    differing()
    (token,) = tokens(client)
    limits(throttle=Throttle(address=Rate(1, 60.0)))
    with mock.patch.object(throttling, "_limiter", Limiter(lambda: 0.0)):
        answers = [cast(client, token, choice) for choice in ("left", "right")]
    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1]["Retry-After"] == "60"
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("page", ["/compare/", "/compare/vote/"])
def test_comparisons_of_a_caller_are_limited(page: str, client: Client, limits: Any) -> None:
    differing()
    limits(throttle=Throttle(address=Rate(1, 60.0)))
    with mock.patch.object(throttling, "_limiter", Limiter(lambda: 0.0)):
        answers = [client.get(f"{page}?{QUERY}") for _ in range(2)]
        assert client.get("/compare/").status_code == 200
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1]["Retry-After"] == "60"
    assert "Too many requests" in answers[1].content.decode()
