"""Second opinions: drawn by chance, given blindly, kept beside the review, and compared."""

from io import StringIO
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from detection.accounts.access import ANYBODY
from detection.history.deletion import delete_detection
from detection.models import Detection, QueuePlace, Review, SecondOpinion, Verdict
from detection.review import claims
from detection.review.second import service
from detection.review.second.service import cohens_kappa
from detection.review.service import Reviewer, Statement, judge, reopen
from tests.history.test_query_plans import use_indexes
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def bert() -> User:
    return User.objects.create_user("bert")


def reviewer_of(user: User) -> Reviewer:
    return Reviewer(user.pk, user.username)


def reviewed(user: User | None, *statements: Statement) -> Detection:
    detection = stored_detection(("cat", 0.9), ("dog", 0.8), ("bird", 0.2))
    judge(detection, 0, statements, Reviewer() if user is None else reviewer_of(user), reviewed=True)
    return detection


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("second_opinions", *arguments, stdout=out)
    return out.getvalue()


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_share_of_the_reviewed_photos_is_drawn_once(anna: User) -> None:
    for _ in range(10):
        reviewed(anna)
    reviewed(None)
    stored_detection(("cat", 0.9))
    assert "Drew 3 photos" in command("--share", "0.3")
    assert service.draw(1.0) == 7
    assert service.draw(1.0) == 0
    assert QueuePlace.objects.filter(queue=service.QUEUE).count() == 10


@pytest.mark.parametrize("arguments", [("--share", "0"), ("--share", "1.5"), ("--share", "0.5", "--newest", "0")])
def test_impossible_share_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="Give a --share above 0, at most 1"):
        command(*arguments)


def test_photo_goes_to_somebody_else_who_does_not_see_what_was_said(anna: User, bert: User) -> None:
    detection = reviewed(anna, Statement("0", "relabelled", "wolf"), Statement("1", "rejected"))
    service.draw(1.0)
    assert logged_in(anna).get("/review/second/").context["detection"] is None
    client = logged_in(bert)
    page = client.get("/review/second/")
    assert page.context["detection"] == detection
    assert [one.key for one in page.context["objects"]] == ["0", "1"]
    html = page.content.decode()
    form = html[html.index('class="second-objects"') : html.index("</ol>")]
    assert "wolf" not in form
    assert "cat 0.90" in form
    verdicts = Verdict.objects.count()
    given = {"is-0": "model", "is-1": "other", "class-1": " fox "}
    answer = client.post(f"/review/second/{detection.uuid}/", given)
    assert answer.headers["Location"] == "/review/second/"
    opinion = SecondOpinion.objects.get()
    assert opinion.classes == {"0": ["cat", "wolf", "cat"], "1": ["dog", "", "fox"]}
    assert (opinion.first_name, opinion.reviewer_name) == ("anna", "bert")
    # The review stays as it is, and nobody is asked again.
    assert Verdict.objects.count() == verdicts
    assert client.get("/review/second/").context["detection"] is None
    assert "does not wait" in client.post(f"/review/second/{detection.uuid}/", given, follow=True).content.decode()


@pytest.mark.parametrize("given", [{}, {"is-0": "model"}, {"is-0": "model", "is-1": "other", "class-1": " "}])
def test_opinion_that_leaves_an_object_out_is_refused(anna: User, bert: User, given: dict[str, str]) -> None:
    detection = reviewed(anna)
    service.draw(1.0)
    answer = logged_in(bert).post(f"/review/second/{detection.uuid}/", given, follow=True)
    assert "Say of each object what it is" in answer.content.decode()
    assert not SecondOpinion.objects.exists()


def test_opinion_on_ones_own_review_or_an_open_one_is_refused(anna: User, bert: User) -> None:
    detection = reviewed(anna)
    service.draw(1.0)
    given = {"is-0": "model", "is-1": "none"}
    logged_in(anna).post(f"/review/second/{detection.uuid}/", given)
    reopen(detection, Review.objects.get().version, reviewer_of(anna))
    assert service.next_for(ANYBODY, reviewer_of(bert)) is None
    logged_in(bert).post(f"/review/second/{detection.uuid}/", given)
    assert not SecondOpinion.objects.exists()


def test_reviewers_without_a_login_are_asked_to_log_in(client: Client, anna: User) -> None:
    reviewed(anna)
    service.draw(1.0)
    page = client.get("/review/second/")
    assert page.context["detection"] is None
    assert "told apart by their accounts" in page.content.decode()


def test_photo_that_is_deleted_while_it_is_handed_out_is_left_out(anna: User, bert: User) -> None:
    detection = reviewed(anna)
    service.draw(1.0)
    place = QueuePlace.objects.get()
    delete_detection(detection)
    with mock.patch.object(claims, "handed", return_value=[place]):
        page = logged_in(bert).get("/review/second/")
    assert (page.status_code, page.context["detection"]) == (200, None)


def test_opinion_of_nobody_is_refused(client: Client, anna: User) -> None:
    detection = reviewed(anna)
    service.draw(1.0)
    answer = client.post(f"/review/second/{detection.uuid}/", {"is-0": "model", "is-1": "none"}, follow=True)
    assert "does not wait for a second opinion of yours" in answer.content.decode()
    assert not SecondOpinion.objects.exists()


def test_two_reviewers_are_handed_different_photos(anna: User, bert: User) -> None:
    photos = {reviewed(anna).pk for _ in range(2)}
    service.draw(1.0)
    carl = User.objects.create_user("carl")
    handed = [service.next_for(ANYBODY, reviewer_of(user)) for user in (bert, carl)]
    assert {one.pk for one in handed if one is not None} == photos


def test_agreement_is_shown_by_class(anna: User, bert: User) -> None:
    assert "There is no second opinion yet" in command()
    said = [("model", "model"), ("model", "none"), ("none", "none"), ("none", "none")]
    for of_first, of_second in said:
        statements = [] if of_first == "model" else [Statement("0", "rejected")]
        detection = reviewed(anna, *statements)
        service.draw(1.0)
        answers = {"0": "cat" if of_second == "model" else "", "1": "dog"}
        service.record(detection, answers, reviewer_of(bert))
    everything, cats, dogs = service.agreement()
    assert (everything.class_name, everything.objects, everything.same) == ("", 8, 7)
    # By hand: 3 of 4 the same; by chance 2/4 * 1/4 + 2/4 * 3/4 = 1/2.
    assert (cats.objects, cats.same) == (4, 3)
    assert cats.kappa == pytest.approx(0.5)
    assert (dogs.objects, dogs.same, dogs.kappa) == (4, 4, None)
    assert "cat                               4   75.0%   0.50" in command()
    html = logged_in(bert).get("/review/second/").content.decode()
    assert "75.0\xa0%" in html


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        # Cohen's kappa of a known table: 20, 5, 10, 15.
        ((20, 5, 10, 15), 0.4),
        ((45, 15, 25, 15), 0.1304),
        ((10, 0, 0, 10), 1.0),
        ((5, 5, 5, 5), 0.0),
        ((0, 10, 10, 0), -1.0),
        ((10, 0, 0, 0), None),
    ],
)
def test_kappa_is_that_of_known_tables(counts: tuple[int, int, int, int], kappa: float | None) -> None:
    answers = [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")]
    pairs = [pair for pair, count in zip(answers, counts, strict=True) for _ in range(count)]
    found = cohens_kappa(pairs)
    assert found is None if kappa is None else found == pytest.approx(kappa, abs=1e-4)


def test_review_page_leads_to_the_second_opinions_that_wait(anna: User, bert: User) -> None:
    stored_detection(("cat", 0.6))
    reviewed(anna)
    client = logged_in(bert)
    assert "/review/second/" not in client.get("/review/").content.decode()
    service.draw(1.0)
    assert "/review/second/" in client.get("/review/").content.decode()
    assert "/review/second/" not in logged_in(anna).get("/review/").content.decode()


def test_places_that_wait_are_read_from_their_index(anna: User, bert: User) -> None:
    for _ in range(3):
        reviewed(anna)
    service.draw(1.0)
    use_indexes("sort", "bitmapscan")
    plan = service.places_for(ANYBODY, reviewer_of(bert)).values_list("detection_id")[:1].explain()
    assert "place_in_queue" in plan
    assert "TEMP B-TREE" not in plan
    if connection.vendor == "postgresql":
        assert "Seq Scan" not in plan
