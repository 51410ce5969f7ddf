"""Verdicts on detections: kept step by step, never over the model's answer, never over a colleague's."""

import threading
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

from detection.errors import RequestError
from detection.history import deletion, indexing
from detection.inference.types import PixelBox
from detection.models import Detection, ListEntry, Review, Tally, Verdict
from detection.review import service as review_service
from detection.review.service import ConflictError, Reviewer, ReviewState, Statement, judge, state_of, undo
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
ANNA, BEN = Reviewer(name="anna"), Reviewer(name="ben")
BOX = PixelBox(5, 6, 70, 80)


def stands(detection: Detection) -> ReviewState:
    return state_of(review_service.reviewable(Detection.objects.all()).get(pk=detection.pk))


def told(state: ReviewState) -> list[tuple[str, str, str]]:
    return [(one.key, one.kind, one.class_name) for one in state.objects]


def tallies() -> dict[tuple[str, str, str], int]:
    days = Tally.objects.filter(span=Tally.Span.DAY).exclude(count=0)
    rows = days.values_list("kind", "class_name", "detail", "count")
    return {(kind, class_name, detail): count for kind, class_name, detail, count in rows}


def model_answer(detection: Detection) -> list[tuple[Any, ...]]:
    return list(detection.objects_found.values_list("rank", "class_name", "probability", "x", "y", "width", "height"))


def test_fresh_detection_has_its_reported_objects_open() -> None:
    state = stands(stored_detection(("cat", 0.9), ("dog", 0.6), ("bird", 0.3)))
    assert (state.version, state.is_reviewed) == (0, False)
    assert told(state) == [("0", "", "cat"), ("1", "", "dog")]
    assert len(state.open_objects) == 2


@pytest.mark.parametrize(
    ("statement", "kind", "class_name", "box"),
    [
        pytest.param(Statement("0", "confirmed"), "confirmed", "cat", None, id="confirmed"),
        pytest.param(Statement("0", "rejected"), "rejected", "cat", None, id="rejected"),
        pytest.param(Statement("0", "relabelled", "dog"), "relabelled", "dog", None, id="relabelled"),
        pytest.param(Statement("0", "relabelled", "cat"), "confirmed", "cat", None, id="relabelled to the same"),
        pytest.param(Statement("0", "corrected", None, BOX), "corrected", "cat", BOX, id="corrected"),
        pytest.param(Statement("0", "corrected", "dog", BOX), "relabelled", "dog", BOX, id="class and box"),
        pytest.param(Statement("0", "cleared"), "", "cat", None, id="cleared"),
    ],
)
def test_verdict_says_what_is_true_and_leaves_the_answer(
    statement: Statement, kind: str, class_name: str, box: PixelBox | None
) -> None:
    detection = stored_detection(("cat", 0.9))
    answer = model_answer(detection)
    (judged,) = judge(detection, 0, [statement], ANNA).objects
    assert (judged.kind, judged.class_name) == (kind, class_name)
    assert judged.box == (box or detection.objects_found.get().box)
    assert model_answer(detection) == answer


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("گل\N{ZERO WIDTH NON-JOINER}میخ", id="Persian"),
        pytest.param("a\N{NO-BREAK SPACE}b", id="unusual space"),
        pytest.param("a\nb", id="of an old model"),
    ],
)
def test_confirming_keeps_the_class_exactly(name: str) -> None:
    detection = stored_detection((name, 0.9), ("cat", 0.8))
    said = [Statement("0", "confirmed"), Statement("1", "relabelled", name.replace("\n", " "))]
    assert [one.class_name for one in judge(detection, 0, said, ANNA).objects] == [name, name.replace("\n", " ")]
    assert {row.class_name for row in Verdict.objects.all()} == {name, name.replace("\n", " ")}


def test_relabelled_object_keeps_its_corrected_box_and_the_other_way_round() -> None:
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "relabelled", "dog")], ANNA)
    judge(detection, 1, [Statement("0", "corrected", None, BOX)], ANNA)
    (judged,) = judge(detection, 2, [Statement("0", "relabelled", "horse")], ANNA).objects
    assert (judged.kind, judged.class_name, judged.box) == ("relabelled", "horse", BOX)


def test_object_that_was_missed_is_added_changed_and_taken_out() -> None:
    detection = stored_detection(("cat", 0.9))
    state = judge(detection, 0, [Statement(None, "added", "dog", BOX)], ANNA)
    assert told(state) == [("0", "", "cat"), ("a1", "added", "dog")]
    state = judge(detection, 1, [Statement("a1", "relabelled", "horse"), Statement(None, "added", "cow", BOX)], ANNA)
    assert told(state) == [("0", "", "cat"), ("a1", "added", "horse"), ("a2", "added", "cow")]
    state = judge(detection, 2, [Statement("a1", "rejected")], ANNA)
    assert told(state) == [("0", "", "cat"), ("a2", "added", "cow")]
    state = judge(detection, 3, [Statement(None, "added", "pig", BOX)], ANNA)
    assert told(state)[-1] == ("a3", "added", "pig")


def test_every_change_is_kept_with_who_and_when() -> None:
    user = User.objects.create_user("carla")
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "rejected")], review_service.reviewer_of(user))
    judge(detection, 1, [Statement("0", "confirmed")], ANNA)
    rows = list(Verdict.objects.values_list("step", "kind", "reviewer__username", "reviewer_name"))
    assert rows == [(1, "rejected", "carla", "carla"), (2, "confirmed", None, "anna")]
    assert all(row.created_at >= detection.created_at for row in Verdict.objects.all())
    user.delete()
    assert Verdict.objects.first().reviewer_name == "carla"  # type: ignore[union-attr]


def test_end_of_a_review_confirms_what_is_open_and_is_found_in_the_lists() -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.6), ("bird", 0.3))
    state = judge(detection, 0, [Statement("1", "rejected")], ANNA, reviewed=True)
    assert told(state) == [("0", "confirmed", "cat"), ("1", "rejected", "dog")]
    assert (state.is_reviewed, state.reviewer_name) == (True, "anna")
    assert state.reviewed_at is not None
    assert set(ListEntry.objects.values_list("class_name", "is_reviewed")) == {("", True), ("cat", True), ("dog", True)}
    state = review_service.reopen(detection, state.version, BEN)
    assert told(state) == [("0", "confirmed", "cat"), ("1", "rejected", "dog")]
    assert (state.is_reviewed, state.reviewed_at, state.reviewer_name) == (False, None, "")
    assert not ListEntry.objects.filter(is_reviewed=True).exists()


def test_undo_takes_back_step_by_step() -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.6))
    first = judge(detection, 0, [Statement("0", "relabelled", "horse", BOX)], ANNA)
    judge(detection, 1, [Statement("0", "rejected"), Statement(None, "added", "cow", BOX)], ANNA, reviewed=True)
    state = undo(detection, 2, ANNA)
    assert told(state) == told(first)
    assert state.objects[0].box == BOX
    assert not state.is_reviewed
    state = undo(detection, 3, ANNA)
    assert told(state) == [("0", "", "cat"), ("1", "", "dog")]
    with pytest.raises(RequestError, match="nothing to undo"):
        undo(detection, 4, ANNA)
    assert Review.objects.get().version == 4
    # Taken back, not deleted.
    assert {row.step for row in Verdict.objects.all()} == {1, 2, 3, 4}


def test_what_was_said_after_an_undo_is_undone_first() -> None:
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "confirmed")], ANNA)
    judge(detection, 1, [Statement("0", "rejected")], ANNA)
    undo(detection, 2, ANNA)
    judge(detection, 3, [Statement("0", "relabelled", "dog")], ANNA)
    assert told(undo(detection, 4, ANNA)) == [("0", "confirmed", "cat")]
    assert told(undo(detection, 5, ANNA)) == [("0", "", "cat")]


def test_nobody_undoes_what_a_colleague_has_said() -> None:
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "rejected")], ANNA)
    with pytest.raises(RequestError, match="one of anna"):
        undo(detection, 1, BEN)
    assert told(stands(detection)) == [("0", "rejected", "cat")]


def test_second_of_two_reviewers_is_told_what_the_first_has_done() -> None:
    detection = stored_detection(("cat", 0.9))
    judge(detection, 0, [Statement("0", "rejected")], ANNA)
    with pytest.raises(ConflictError, match="anna has changed the review of this photo meanwhile") as conflict:
        judge(detection, 0, [Statement("0", "confirmed")], BEN)
    assert told(conflict.value.state) == [("0", "rejected", "cat")]
    assert conflict.value.state.version == 1
    assert Verdict.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_reviewers_at_the_same_moment_one_is_kept_and_the_others_are_told() -> None:
    detection = stored_detection(("cat", 0.9))
    together = threading.Barrier(4)
    ends: list[str] = []

    def review(name: str) -> None:
        together.wait(30)
        try:
            judge(detection, 0, [Statement("0", "relabelled", name)], Reviewer(name=name))
            ends.append("kept")
        except ConflictError as error:
            ends.append(error.state.objects[0].class_name)
        finally:
            connection.close()

    threads = [threading.Thread(target=review, args=(name,)) for name in ("ann", "bob", "cid", "dot")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (kept,) = Verdict.objects.values_list("class_name", flat=True)
    assert sorted(ends) == sorted(["kept", kept, kept, kept])
    assert tallies()["relabelled", "cat", kept] == 1


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        pytest.param(Statement("7", "confirmed"), "no object '7'", id="unknown object"),
        pytest.param(Statement("a1", "confirmed"), "no object 'a1'", id="unknown drawn object"),
        pytest.param(Statement(None, "confirmed"), "names no object", id="no object"),
        pytest.param(Statement(None, "added", "dog"), "needs its class and its box", id="no box"),
        pytest.param(Statement(None, "added", None, BOX), "needs its class and its box", id="no class"),
        pytest.param(Statement("0", "relabelled", " "), "needs a name", id="blank class"),
        pytest.param(Statement("0", "reviewed"), "cannot be said of object 0", id="of the whole"),
        pytest.param(Statement("0", "corrected", None, PixelBox(600, 0, 41, 5)), "640 x 480", id="too far right"),
        pytest.param(Statement("0", "corrected", None, PixelBox(0, 0, 0, 5)), "640 x 480", id="no width"),
    ],
)
def test_verdict_that_cannot_be_is_refused_and_nothing_is_kept(statement: Statement, sentence: str) -> None:
    detection = stored_detection(("cat", 0.9))
    with pytest.raises(RequestError, match=sentence):
        judge(detection, 0, [Statement("0", "confirmed"), statement] if statement.key != "0" else [statement], ANNA)
    assert (Verdict.objects.count(), stands(detection).version) == (0, 0)


def test_step_without_a_statement_and_two_about_one_object_are_refused() -> None:
    detection = stored_detection(("cat", 0.9))
    with pytest.raises(RequestError, match="Nothing is said"):
        judge(detection, 0, [], ANNA)
    with pytest.raises(RequestError, match="same object"):
        judge(detection, 0, [Statement("0", "confirmed"), Statement("0", "rejected")], ANNA)


def test_weaker_object_can_be_confirmed_and_does_not_count_for_precision() -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.3))
    state = judge(detection, 0, [Statement("1", "confirmed")], ANNA)
    assert told(state) == [("0", "", "cat"), ("1", "confirmed", "dog")]
    assert ("confirmed", "dog", "") not in tallies()
    assert told(undo(detection, 1, ANNA)) == [("0", "", "cat")]


def test_numbers_follow_each_verdict_and_are_what_counting_anew_gives() -> None:
    detection = stored_detection(("cat", 0.93), ("dog", 0.61))
    stored_detection()
    fresh = tallies()
    assert fresh == {
        ("photo", "", ""): 2,
        ("empty", "", ""): 1,
        ("object", "cat", ""): 1,
        ("object", "dog", ""): 1,
        ("score", "", "18"): 1,
        ("score", "", "12"): 1,
    }
    judge(detection, 0, [Statement("0", "relabelled", "dog"), Statement(None, "added", "cow", BOX)], ANNA)
    judge(detection, 1, [Statement("0", "rejected"), Statement("1", "corrected", None, BOX)], ANNA, reviewed=True)
    counted = fresh | {("rejected", "cat", ""): 1, ("corrected", "dog", ""): 1, ("added", "cow", ""): 1}
    assert tallies() == counted
    entries = set(ListEntry.objects.values_list("detection", "class_name", "lowest", "highest", "is_reviewed"))
    indexing.rebuild()
    assert tallies() == counted
    rebuilt = set(ListEntry.objects.values_list("detection", "class_name", "lowest", "highest", "is_reviewed"))
    assert rebuilt == entries
    undo(detection, 2, ANNA)
    undo(detection, 3, ANNA)
    assert tallies() == fresh


def test_deleted_detection_leaves_nothing_in_numbers_and_lists() -> None:
    detection = stored_detection(("cat", 0.93))
    judge(detection, 0, [Statement(None, "added", "cow", BOX)], ANNA, reviewed=True)
    deletion.delete_detection(detection)
    assert tallies() == {}
    assert (ListEntry.objects.count(), Verdict.objects.count(), Review.objects.count()) == (0, 0, 0)


def test_history_from_before_reviews_gets_its_entries_after_the_migration() -> None:
    from django.core.management import call_command

    stored_detection(("cat", 0.9))
    before = tallies()
    ListEntry.objects.all().delete()
    Tally.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert tallies() == before
    assert set(ListEntry.objects.values_list("class_name", flat=True)) == {"", "cat"}


def test_marks_of_old_verdicts_are_made_by_the_migration_and_by_counting_anew() -> None:
    cat, dog = (stored_detection(("cat", 0.9), ("dog", 0.6)) for _ in range(2))
    judge(cat, 0, [Statement("0", "relabelled", "horse"), Statement("1", "rejected")], ANNA)
    judge(cat, 1, [Statement(None, "added", "dog", BOX)], ANNA)
    judge(dog, 0, [Statement("0", "rejected"), Statement("1", "rejected")], ANNA)
    undo(dog, 1, ANNA)
    expected = {
        (cat.pk, "", True, True, True),
        (cat.pk, "cat", False, True, False),
        (cat.pk, "dog", True, False, True),
        *((dog.pk, class_name, False, False, False) for class_name in ("", "cat", "dog")),
    }
    given = {(cat.pk, "horse", False, True, False)}
    assert marks() == expected | given
    ListEntry.objects.filter(class_name="horse").delete()
    ListEntry.objects.update(has_rejected=False, has_changed=False, has_added=False)
    import_module("detection.migrations.0011_review_marks").mark_what_people_said(apps, None)
    assert marks() == expected
    indexing.rebuild()
    assert marks() == expected | given


def entries() -> set[tuple[Any, ...]]:
    """Class, lowest and highest probability of the list entries."""
    return set(ListEntry.objects.values_list("class_name", "lowest", "highest"))


RELABELLED, DRAWN = Statement("1", "relabelled", "wolf"), Statement(None, "added", "moon", BOX)
SAID = {
    "nothing": ([], {("", 0.6, 0.9), ("cat", 0.9, 0.9), ("dog", 0.6, 0.6)}),
    "relabelled": ([RELABELLED], {("", 0.6, 1.0), ("cat", 0.9, 0.9), ("dog", 0.6, 0.0), ("wolf", 1.0, 1.0)}),
    "rejected": ([Statement("0", "rejected")], {("", 0.6, 0.6), ("cat", 0.9, 0.0), ("dog", 0.6, 0.6)}),
    "drawn": ([DRAWN], {("", 0.6, 1.0), ("cat", 0.9, 0.9), ("dog", 0.6, 0.6), ("moon", 1.0, 1.0)}),
    "weaker one confirmed": (
        [Statement("2", "confirmed")],
        {("", 0.6, 0.9), ("cat", 0.9, 0.9), ("dog", 0.6, 0.6), ("bird", 1.0, 0.3)},
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_lists_have_the_classes_that_people_gave(case: str) -> None:
    statements, expected = SAID[case]
    detection = stored_detection(("cat", 0.9), ("dog", 0.6), ("bird", 0.3))
    before = entries()
    if statements:
        judge(detection, 0, statements, ANNA)
    assert entries() == expected
    # As the migration finds them.
    ListEntry.objects.exclude(class_name__in=["", "cat", "dog"]).delete()
    for entry in ListEntry.objects.all():
        own = {"": 0.9, "cat": 0.9, "dog": 0.6}[entry.class_name]
        ListEntry.objects.filter(pk=entry.pk).update(highest=own)
    marked = marks()
    import_module("detection.migrations.0022_entries_as_people_say").say_what_people_said(apps, None)
    assert (entries(), marked <= marks()) == (expected, True)
    indexing.rebuild()
    assert entries() == expected
    if statements:
        undo(detection, 1, ANNA)
        assert entries() == before


def marks() -> set[tuple[Any, ...]]:
    return set(ListEntry.objects.values_list("detection", "class_name", "has_rejected", "has_changed", "has_added"))
