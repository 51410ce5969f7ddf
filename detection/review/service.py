"""Reviews: people's verdicts on detections, step by step.

1. A reviewer looks at a review and sends statements, with the version that they have seen.
2. The version is raised in one statement that only succeeds from there: of two who saw the same one, the second gets
   the first one's result (ConflictError), and overwrites nothing.
3. The statements become rows of `Verdict`, which only grow; the model's objects stay unchanged.
4. Lists and counters change in the same transaction.

Undo is one more step, which restores the previous verdicts.

Steps may be blind: taken before the reviewer has seen what the model found (`blind.py`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from detection.errors import RequestError
from detection.history import counters, indexing
from detection.history.annotations import Judged, counter_key, newest_verdicts, objects_of, with_verdicts
from detection.history.counters import Key
from detection.inference.class_names import MAX_LENGTH
from detection.inference.messages import CodedError
from detection.inference.types import PixelBox
from detection.models import Detection, ListEntry, Review, Verdict
from detection.observability import metrics
from detection.review import messages as review_messages
from detection.review.blind import Drawn, outcomes
from detection.review.queues.kinds import Answered
from detection.review.queues.registry import mark_places
from detection.web.text import as_text

CLASS_NAME_LENGTH = MAX_LENGTH
_ENDS = frozenset({Verdict.Kind.REVIEWED, Verdict.Kind.REOPENED})


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Author of verdicts; anonymous without a login."""

    user_id: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """Verdict of a reviewer on one object.

    key: that of `Judged`, or None for a drawn object. kind: a value of `Verdict.Kind`. class_name, box:
    where the kind needs them; None keeps the current ones.
    """

    key: str | None
    kind: str
    class_name: str | None = None
    box: PixelBox | None = None


@dataclass(frozen=True, slots=True)
class ReviewState:
    """State of a review."""

    detection: Detection
    version: int
    is_reviewed: bool
    reviewed_at: datetime | None
    reviewer_name: str
    objects: tuple[Judged, ...]
    is_blind: bool = False

    @property
    def can_be_blind(self) -> bool:
        """Return whether nobody has said anything with the model's boxes shown, as they are once it was finished."""
        return all(one.is_blind and one.kind not in _ENDS for one in self.detection.verdicts.all())

    @property
    def open_objects(self) -> tuple[Judged, ...]:
        """Objects without a verdict."""
        return tuple(one for one in self.objects if one.is_open)


class ConflictError(CodedError):
    """Another reviewer has changed the review meanwhile; `state` is its current state."""

    def __init__(self, state: ReviewState, by: str) -> None:
        self.state = state
        super().__init__(review_messages.CHANGED_BY(name=by) if by else review_messages.CHANGED())


def reviewer_of(user: Any) -> Reviewer:
    """Return the reviewer behind the `user` of a request; a user may have logged in even if ACCESS=open."""
    if user is None or not user.is_authenticated:
        return Reviewer()
    return Reviewer(user.pk, user.get_username())


def reviewable(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load everything that a review needs along with the detections."""
    return with_verdicts(detections.select_related("photo", "review"))


def state_of(detection: Detection) -> ReviewState:
    """Return the review of a detection that came from `reviewable`."""
    return _state(detection, getattr(detection, "review", None) or Review(detection=detection))


def _state(detection: Detection, review: Review) -> ReviewState:
    return ReviewState(
        detection,
        review.version,
        review.is_reviewed,
        review.reviewed_at,
        review.reviewer_name,
        objects_of(detection),
        review.is_blind,
    )


def state_after(detection_pk: int, step: int) -> ReviewState:
    """Return the review as it stood after a step; its verdicts only grow, so that this does not change any more."""
    detections = with_verdicts(Detection.objects.select_related("photo"), last_step=step)
    detection = detections.get(pk=detection_pk)
    ends = [one for one in detection.verdicts.all() if one.kind in _ENDS]
    review = Review(version=step)
    if ends and ends[-1].kind == Verdict.Kind.REVIEWED:
        review.is_reviewed, review.reviewed_at = True, ends[-1].created_at
        review.reviewer_name = ends[-1].reviewer_name
        review.is_blind = ends[-1].is_blind and ends[-1].step == step
    return _state(detection, review)


def judge(
    detection: Detection,
    version: int,
    statements: Sequence[Statement],
    reviewer: Reviewer,
    *,
    reviewed: bool | None = None,
    blind: bool = False,
) -> ReviewState:
    """Record a reviewer's verdicts, and return the state of the review after them.

    version: the one that the reviewer has seen. reviewed: True finishes the review, and confirms open objects; False
    reopens it; None leaves it. blind: the reviewer has not seen what the model found; finishing the review then gives
    the model's objects the verdicts that follow from the drawn ones (`blind.outcomes`).
    Raises RequestError and ConflictError; then nothing was written.
    """
    if not statements and reviewed is None:
        raise RequestError(review_messages.IS_EMPTY())
    with transaction.atomic():
        before = _raise_version(detection, version)
        if blind and not before.can_be_blind:
            raise RequestError(review_messages.NOT_BLIND())
        if reviewed:
            statements = (
                _blind_ends(before, statements) if blind else [*statements, *_confirmations(before, statements)]
            )
        rows = _rows(before, statements)
        if reviewed is not None and reviewed != before.is_reviewed:
            rows.append(Verdict(kind=Verdict.Kind.REVIEWED if reviewed else Verdict.Kind.REOPENED))
        return _write(before, rows, reviewer, blind=blind)


def undo(detection: Detection, version: int, reviewer: Reviewer) -> ReviewState:
    """Undo the newest step that was not undone yet, and return the state of the review after it.

    Raises RequestError when there is none, or when it is another reviewer's, and ConflictError; then nothing was
    written.
    """
    with transaction.atomic():
        before = _raise_version(detection, version)
        verdicts = list(before.detection.verdicts.all())
        step = _newest_step(verdicts, reviewer)
        rows = _as_before(before, verdicts, step)
        for row in rows:
            row.undoes = step
        return _write(before, rows, reviewer, blind=before.can_be_blind)


def confirm_all(detection: Detection, version: int, reviewer: Reviewer) -> ReviewState:
    """Confirm all open objects and finish the review. Raises the errors of `judge`."""
    return judge(detection, version, (), reviewer, reviewed=True)


def reject_all(detection: Detection, version: int, reviewer: Reviewer) -> ReviewState:
    """Reject all open objects and finish the review. Raises the errors of `judge`."""
    rejections = [Statement(one.key, Verdict.Kind.REJECTED) for one in _fresh(detection).open_objects]
    return judge(detection, version, rejections, reviewer, reviewed=True)


def reopen(detection: Detection, version: int, reviewer: Reviewer) -> ReviewState:
    """Reopen the review; its verdicts stay in force. Raises the errors of `judge`."""
    return judge(detection, version, (), reviewer, reviewed=False)


def _fresh(detection: Detection) -> ReviewState:
    return state_of(reviewable(Detection.objects.all()).get(pk=detection.pk))


def _raise_version(detection: Detection, version: int) -> ReviewState:
    """Raise the version; return the review before this step, with its row locked until the transaction ends."""
    Review.objects.get_or_create(detection=detection)
    raised = Review.objects.filter(detection=detection, version=version).update(version=F("version") + 1)
    state = _fresh(detection)
    if not raised:
        last = list(state.detection.verdicts.all())[-1:]
        raise ConflictError(state, last[0].reviewer_name if last else "")
    return replace(state, version=version)


def _confirmations(state: ReviewState, statements: Iterable[Statement]) -> list[Statement]:
    judged_keys = {one.key for one in statements}
    return [Statement(one.key, Verdict.Kind.CONFIRMED) for one in state.open_objects if one.key not in judged_keys]


def _blind_ends(state: ReviewState, statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements that finish a blind review: what is said, and what follows for the model's open objects."""
    keyed = [one for one in statements if one.key is not None]
    said = {one.key for one in keyed}
    drawn = [
        Drawn(one.key, one.class_name, one.box) for one in state.objects if one.found is None and one.key not in said
    ]
    for one in statements:
        if one.key is None:
            # Checked as any other: an incomplete one is refused.
            _drawn(state, one, 0)
            drawn.append(Drawn(None, one.class_name or "", one.box or PixelBox(0, 0, 0, 0)))
    found = [one for one in state.open_objects if one.key not in said]
    return [*keyed, *(Statement(*outcome) for outcome in outcomes(drawn, found))]


def _rows(state: ReviewState, statements: Sequence[Statement]) -> list[Verdict]:
    keys = [one.key for one in statements if one.key is not None]
    if len(set(keys)) < len(keys):
        raise RequestError(review_messages.VERDICTS_COLLIDE())
    judged = {one.key: one for one in state.objects} | {
        str(found.rank): Judged(str(found.rank), found, "", found.class_name, found.box)
        for found in state.detection.objects_found.all()
        if str(found.rank) not in {one.key for one in state.objects}
    }
    numbers = [one.added_number or 0 for one in state.detection.verdicts.all()]
    free = max(numbers, default=0) + 1
    rows = []
    for statement in statements:
        if statement.key is None:
            rows.append(_drawn(state, statement, free))
            free += 1
        elif statement.key in judged:
            rows.append(_row(state, judged[statement.key], statement))
        else:
            raise RequestError(review_messages.NO_SUCH_OBJECT(object=repr(statement.key)))
    return rows


def _drawn(state: ReviewState, statement: Statement, number: int) -> Verdict:
    if statement.kind != Verdict.Kind.ADDED:
        raise RequestError(review_messages.VERDICT_WITHOUT_OBJECT())
    if not statement.class_name or statement.box is None:
        raise RequestError(review_messages.OBJECT_INCOMPLETE())
    return _verdict(state, Verdict.Kind.ADDED, _chosen(statement.class_name), statement.box, added_number=number)


def _row(state: ReviewState, judged: Judged, statement: Statement) -> Verdict:
    """Return the row of a statement; its kind follows from the difference to the model's object."""
    if statement.kind not in _SAYABLE:
        raise RequestError(
            review_messages.NO_SUCH_VERDICT(
                verdict=repr(statement.kind), object=judged.key, available=", ".join(_SAYABLE)
            )
        )
    # The object's own class stays exactly what it is.
    is_same = statement.class_name in {None, judged.class_name}
    class_name = judged.class_name if is_same else _chosen(statement.class_name or "")
    box = judged.box if statement.box is None else statement.box
    if judged.found is None:
        takes_out = statement.kind in {Verdict.Kind.REJECTED, Verdict.Kind.CLEARED}
        kind = Verdict.Kind.CLEARED if takes_out else Verdict.Kind.ADDED
        return _verdict(state, kind, class_name, box, added_number=judged.added_number)
    found = judged.found
    if statement.kind in {Verdict.Kind.CONFIRMED, Verdict.Kind.REJECTED, Verdict.Kind.CLEARED}:
        return _verdict(state, Verdict.Kind(statement.kind), found.class_name, found.box, found=found)
    kind = _kind_of_change(class_name != found.class_name, box != found.box)
    return _verdict(state, kind, class_name, box, found=found)


def _chosen(class_name: str) -> str:
    """Return the name of a chosen or typed class, as one line. Raises RequestError where it is empty."""
    name = as_text(class_name).strip()[:CLASS_NAME_LENGTH]
    if not name:
        raise RequestError(review_messages.CLASS_WITHOUT_NAME())
    return name


def _kind_of_change(is_other_class: bool, is_other_box: bool) -> Verdict.Kind:
    if is_other_class:
        return Verdict.Kind.RELABELLED
    return Verdict.Kind.CORRECTED if is_other_box else Verdict.Kind.CONFIRMED


_SAYABLE = ("confirmed", "rejected", "relabelled", "corrected", "cleared")


def _verdict(state: ReviewState, kind: Verdict.Kind, class_name: str, box: PixelBox, **about: Any) -> Verdict:
    photo = state.detection.photo
    inside = (
        box.width > 0 and box.height > 0 and box.x + box.width <= photo.width and box.y + box.height <= photo.height
    )
    if kind in {Verdict.Kind.ADDED, Verdict.Kind.CORRECTED, Verdict.Kind.RELABELLED} and not inside:
        raise RequestError(review_messages.BOX_OUTSIDE(width=photo.width, height=photo.height))
    return Verdict(kind=kind, class_name=class_name, x=box.x, y=box.y, width=box.width, height=box.height, **about)


def _newest_step(verdicts: Sequence[Verdict], reviewer: Reviewer) -> int:
    taken_back = {one.undoes for one in verdicts if one.undoes is not None}
    steps = {one.step: one for one in verdicts if one.undoes is None and one.step not in taken_back}
    if not steps:
        raise RequestError(review_messages.NOTHING_TO_UNDO())
    newest = max(steps)
    by = steps[newest].reviewer_name
    if by != reviewer.name:
        raise RequestError(review_messages.STEP_OF_OTHER(name=by) if by else review_messages.STEP_OF_SOMEBODY())
    return newest


def _as_before(state: ReviewState, verdicts: Sequence[Verdict], step: int) -> list[Verdict]:
    """Return the verdicts on the objects of a step before it."""
    earlier = newest_verdicts(one for one in verdicts if one.step < step)
    rows = []
    for one in (one for one in verdicts if one.step == step):
        if one.kind in _ENDS:
            rows.append(Verdict(kind=Verdict.Kind.REOPENED if state.is_reviewed else Verdict.Kind.REVIEWED))
            continue
        was = earlier.get((one.found_id, one.added_number))
        kind = Verdict.Kind.CLEARED if was is None else Verdict.Kind(was.kind)
        shown = was or one
        about = {"found_id": one.found_id, "added_number": one.added_number}
        rows.append(
            Verdict(
                kind=kind,
                class_name=shown.class_name,
                x=shown.x,
                y=shown.y,
                width=shown.width,
                height=shown.height,
                **about,
            )
        )
    return rows


def _write(before: ReviewState, rows: list[Verdict], reviewer: Reviewer, *, blind: bool = False) -> ReviewState:
    detection = before.detection
    for row in rows:
        row.detection, row.step, row.is_blind = detection, before.version + 1, blind
        row.reviewer_id, row.reviewer_name = reviewer.user_id, reviewer.name
    Verdict.objects.bulk_create(rows)
    ends = [row for row in rows if row.kind in _ENDS]
    if ends:
        _finish(detection, ends[-1])
    elif before.is_blind:
        Review.objects.filter(detection=detection).update(is_blind=False)
    after = _fresh(detection)
    indexing.mark([after.detection])
    mark_places(detection.pk, Answered(after.is_reviewed, frozenset(one.key for one in after.objects if one.kind)))
    counts = Counter(_counted(after))
    counts.subtract(_counted(before))
    counters.add(counts)
    transaction.on_commit(partial(metrics.observe_verdicts, [row.kind for row in rows if row.undoes is None]))
    return after


def _counted(state: ReviewState) -> list[Key]:
    keys = (counter_key(state.detection, one) for one in state.objects)
    return [key for key in keys if key is not None]


def _finish(detection: Detection, end: Verdict) -> None:
    """Record whether the review is finished, in its row and in the lists."""
    is_reviewed = end.kind == Verdict.Kind.REVIEWED
    Review.objects.filter(detection=detection).update(
        is_reviewed=is_reviewed,
        reviewed_at=end.created_at if is_reviewed else None,
        reviewer_name=end.reviewer_name if is_reviewed else "",
        is_blind=is_reviewed and end.is_blind,
    )
    ListEntry.objects.filter(detection=detection).update(is_reviewed=is_reviewed)
