"""Review in the admin: what was said of each object, lists by what was said, and steps for many detections at once."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from detection.history import admin as history_admin
from detection.inference.types import PixelBox
from detection.models import Detection, Verdict
from detection.review import admin as review_admin
from detection.review import service as review_service
from detection.review.service import Reviewer, ReviewState, Statement, judge
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
LIST = "/admin/detection/detection/"
ANNA = Reviewer(name="anna")
BOX = PixelBox(5, 6, 70, 80)


def stands(detection: Detection) -> ReviewState:
    return review_service.state_of(review_service.reviewable(Detection.objects.all()).get(pk=detection.pk))


def kinds(detection: Detection) -> list[str]:
    return [one.kind for one in stands(detection).objects]


def take(client: Client, action: str, *chosen: Detection, seen: dict[int, int] | None = None) -> list[str]:
    """Take an action as the page does, and return what it tells. seen: the versions that the list has shown."""
    versions = {one.pk: stands(one).version for one in chosen} if seen is None else seen
    given = {
        "action": action,
        "_selected_action": [str(one.pk) for one in chosen],
        "seen": [f"{pk}-{version}" for pk, version in versions.items()],
    }
    response = client.post(LIST, given, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def listed(client: Client, **query: str) -> set[Any]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


@pytest.fixture
def clerk() -> User:
    """Somebody who may look at detections, and no more."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_detection", "view_detectedobject"]))
    return user


def test_page_of_a_detection_shows_who_said_what_and_when(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.6))
    judge(detection, 0, [Statement("0", "relabelled", "horse"), Statement(None, "added", "bird", BOX)], ANNA)
    judge(detection, 1, [Statement("1", "rejected")], Reviewer(name="ben"))
    html = admin_client.get(reverse("admin:detection_detection_change", args=[detection.pk])).content.decode()
    assert "What people said" in html
    assert html.count("<p>Rejected, ben, ") == 1
    assert html.count("<p>Relabelled: horse, anna, ") == 1
    assert "<p>Drawn no. 1</p>" in html
    assert "<p>5, 6, 70 \N{MULTIPLICATION SIGN} 80</p>" in html
    for who in ("anna", "ben"):
        assert f"<p>{who}</p>" in html


def test_page_of_a_detection_takes_no_verdict(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "rejected")], ANNA)
    verdict = Verdict.objects.get()
    given = {
        "verdicts-TOTAL_FORMS": "1",
        "verdicts-INITIAL_FORMS": "1",
        "verdicts-0-id": str(verdict.pk),
        "verdicts-0-kind": "confirmed",
    }
    page = reverse("admin:detection_detection_change", args=[detection.pk])
    assert admin_client.post(page, given).status_code == 403
    assert Verdict.objects.get().kind == "rejected"


def test_number_of_queries_does_not_grow_with_what_was_said(admin_client: Client) -> None:
    counts = []
    assert admin_client.get(LIST).status_code == 200  # the first page of a process looks up content types
    for objects in (1, 20):
        detection = stored_detection(*[("cat", 0.9)] * objects)
        review_service.confirm_all(detection, 0, ANNA)
        for address in (LIST, reverse("admin:detection_detection_change", args=[detection.pk])):
            assert admin_client.get(address).status_code == 200
            with CaptureQueriesContext(connection) as queries:
                assert admin_client.get(address).status_code == 200
            counts.append(len(queries))
    assert counts[:2] == counts[2:]


@pytest.fixture
def said() -> dict[str, Detection]:
    """Detections of which different things were said."""
    found = {
        name: stored_detection(("cat", 0.9), ("dog", 0.6))
        for name in ("open", "done", "rejected", "relabelled", "corrected", "added", "taken back")
    }
    judge(found["done"], 0, [], ANNA, reviewed=True)
    judge(found["rejected"], 0, [Statement("1", "rejected")], ANNA)
    judge(found["relabelled"], 0, [Statement("0", "relabelled", "horse")], ANNA, reviewed=True)
    judge(found["corrected"], 0, [Statement("0", "corrected", None, BOX)], ANNA)
    judge(found["added"], 0, [Statement(None, "added", "bird", BOX)], ANNA)
    judge(found["taken back"], 0, [Statement("0", "rejected")], ANNA)
    review_service.undo(found["taken back"], 1, ANNA)
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param({"review": "open"}, {"open", "rejected", "corrected", "added", "taken back"}, id="not reviewed"),
        pytest.param({"review": "done"}, {"done", "relabelled"}, id="reviewed"),
        pytest.param({"review": "rejected"}, {"rejected"}, id="rejected"),
        pytest.param({"review": "changed"}, {"relabelled", "corrected"}, id="changed"),
        pytest.param({"review": "added"}, {"added"}, id="added"),
        pytest.param({"review": "rejected", "class": "dog"}, {"rejected"}, id="rejected object of a class"),
        pytest.param({"review": "rejected", "class": "cat"}, set(), id="rejected object of another class"),
        pytest.param({"review": "done", "class": "cat", "period": "week", "source": "api"}, {"done"}),
        pytest.param({"review": "done", "source": "page"}, set(), id="reviewed, of a source that has none"),
        pytest.param({"review": "nonsense"}, None, id="a state that there is not"),
        pytest.param({"review": "done", "model": "mobilenet_ssd_voc"}, {"done", "relabelled"}, id="of a model"),
        pytest.param({"review": "done", "model": "other"}, set(), id="of another model"),
    ],
)
def test_list_is_filtered_by_what_was_said(
    query: dict[str, str], names: set[str] | None, said: dict[str, Detection], admin_client: Client
) -> None:
    expected = said.values() if names is None else [said[name] for name in names]
    assert listed(admin_client, **query) == {one.pk for one in expected}
    assert listed(admin_client, **query, o="7") == {one.pk for one in expected}


def test_list_says_how_each_review_stands(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    stored_detection(("dog", 0.9))
    review_service.confirm_all(detection, 0, ANNA)
    html = admin_client.get(LIST).content.decode()
    assert f'Reviewed: anna<input type="hidden" name="seen" value="{detection.pk}-1">' in html
    assert html.count(">Open<input") == 1


def test_chosen_detections_are_confirmed_rejected_opened_again_and_it_is_undone(admin_client: Client) -> None:
    cat = stored_detection(("cat", 0.9), ("dog", 0.6))
    dog = stored_detection(("dog", 0.9))
    judge(cat, 0, [Statement("1", "relabelled", "horse")], ANNA)
    assert take(admin_client, "confirm_all", cat, dog) == ["2 reviews were changed. “Undo my last step” takes it back."]
    assert (kinds(cat), kinds(dog)) == (["confirmed", "relabelled"], ["confirmed"])
    assert stands(dog).is_reviewed
    assert Verdict.objects.filter(detection=dog, kind="confirmed").get().reviewer_name == "admin"
    assert take(admin_client, "undo", cat, dog)[0].startswith("2 reviews were changed.")
    assert (kinds(cat), kinds(dog)) == (["", "relabelled"], [""])
    assert not stands(dog).is_reviewed
    take(admin_client, "reject_all", cat, dog)
    assert (kinds(cat), kinds(dog)) == (["rejected", "relabelled"], ["rejected"])
    take(admin_client, "reopen", dog)
    assert (kinds(dog), stands(dog).is_reviewed) == (["rejected"], False)


def test_what_is_so_already_and_what_cannot_be_undone_is_counted_apart(admin_client: Client) -> None:
    fresh, done = (stored_detection(("cat", 0.9)) for _ in range(2))
    review_service.confirm_all(done, 0, ANNA)
    assert take(admin_client, "confirm_all", fresh, done) == [
        "1 review was changed. “Undo my last step” takes it back.",
        "1 review was so already.",
    ]
    assert stands(done).version == 1
    assert take(admin_client, "undo", fresh, done) == [
        "1 review was changed. “Undo my last step” takes it back.",
        "1 \N{MULTIPLICATION SIGN} The newest step is one of anna. Say what is right instead.",
    ]
    assert (stands(fresh).is_reviewed, stands(done).is_reviewed) == (False, True)


@pytest.mark.parametrize("action", ["confirm_all", "reject_all", "reopen", "undo"])
def test_nothing_goes_past_what_a_colleague_said_after_the_list_was_shown(action: str, admin_client: Client) -> None:
    seen, changed = (stored_detection(("cat", 0.9), ("dog", 0.6)) for _ in range(2))
    for one in (seen, changed):
        review_service.confirm_all(one, 0, Reviewer(name="admin"))
    if action in {"confirm_all", "reject_all"}:
        review_service.reopen(seen, 1, Reviewer(name="admin"))
    versions = {one.pk: stands(one).version for one in (seen, changed)}
    judge(changed, versions[changed.pk], [Statement("0", "rejected")], ANNA)
    messages = take(admin_client, action, seen, changed, seen=versions)
    assert messages == [
        "1 review was changed. “Undo my last step” takes it back.",
        "1 review was left as it is: somebody has changed it after this list was shown. Look at it again.",
    ]
    assert kinds(changed) == ["rejected", "confirmed"]
    assert stands(changed).version == versions[changed.pk] + 1


def test_damaged_versions_of_a_form_are_as_if_they_were_not_there(admin_client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    given = {"action": "confirm_all", "_selected_action": [str(detection.pk)], "seen": ["x-1", "9" * 99, "1-", "²-³"]}
    assert admin_client.post(LIST, given).status_code == 302
    assert kinds(detection) == ["confirmed"]


def test_more_than_can_be_done_at_once_is_refused_and_nothing_done(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_admin, "MAX_AT_ONCE", 1)
    chosen = [stored_detection(("cat", 0.9)) for _ in range(2)]
    assert take(admin_client, "reject_all", *chosen) == ["At most 1 detections go into one step. Choose fewer."]
    assert not Verdict.objects.exists()


def test_who_may_only_look_gets_no_step_and_sees_no_verdict(clerk: User, client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    review_service.reject_all(detection, 0, ANNA)
    client.force_login(clerk)
    assert "reject_all" not in client.get(LIST).content.decode()
    take(client, "reopen", detection)
    assert (stands(detection).is_reviewed, stands(detection).version) == (True, 1)
    page = client.get(reverse("admin:detection_detection_change", args=[detection.pk])).content.decode()
    assert "What people said" not in page


def test_who_may_add_verdicts_reviews(clerk: User, client: Client) -> None:
    clerk.user_permissions.add(Permission.objects.get(codename="add_verdict"))
    client.force_login(clerk)
    detection = stored_detection(("cat", 0.9))
    take(client, "confirm_all", detection)
    assert stands(detection).reviewer_name == "clerk"


def test_list_is_not_counted_to_its_end(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_admin, "MAX_COUNTED", 2)
    for _ in range(3):
        stored_detection(("cat", 0.9))
    with CaptureQueriesContext(connection) as queries:
        html = admin_client.get(LIST).content.decode()
    assert "2 or more detections" in html
    counting = [one["sql"] for one in queries if "COUNT(*)" in one["sql"]]
    assert counting
    assert all("LIMIT 2" in sql for sql in counting)
    found = admin_client.get(LIST, {"q": Detection.objects.all()[0].model_name}).content.decode()
    assert "2 or more results (" in found


def test_filters_of_the_list_look_at_no_object(admin_client: Client) -> None:
    stored_detection(("cat", 0.9))
    with CaptureQueriesContext(connection) as queries:
        html = admin_client.get(LIST).content.decode()
    assert 'href="?class=cat"' in html
    assert not [one["sql"] for one in queries if "DISTINCT" in one["sql"] and "detectedobject" in one["sql"]]
