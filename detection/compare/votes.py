"""Blind votes: two answers for one photo in random order and without names, and how the votes have come out."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext

from detection.accounts.access import Caller
from detection.compare.pairs import Pair
from detection.errors import RequestError
from detection.evaluation.class_names import common_name
from detection.history.presentation import with_reported_objects
from detection.history.selectors import visible_detections
from detection.models import Detection, Vote
from detection.review.service import Reviewer
from detection.statistics.intervals import Interval, exact_interval, sign_test

# In one sitting.
MAX_TOKENS = 200
_SALT = "detection.compare.vote"
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """Votes on pairs of two models: for A, for B, for both, and for neither."""

    a: int = 0
    b: int = 0
    both: int = 0
    neither: int = 0

    @property
    def total(self) -> int:
        """All votes."""
        return self.a + self.b + self.both + self.neither

    @property
    def share(self) -> float | None:
        """Of the votes for one of the two, the share for A; None without one."""
        return self.a / (self.a + self.b) if self.a + self.b else None

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the share, that of the sign test (`intervals.exact_interval`)."""
        return exact_interval(self.a, self.a + self.b) if self.a + self.b else None

    @property
    def p_value(self) -> float:
        """Of the sign test: ties are left out."""
        return sign_test(self.a, self.b)


def tokens_of(pairs: Iterable[Pair], voter: Reviewer) -> list[str]:
    """Return signed tokens of the pairs that differ and that the voter has not voted on, in random order, each with its
    sides in random order.
    """
    differing = [pair for pair in pairs if pair.only_a or pair.only_b]
    voted = {key for key, name, _choice in _votes(differing) if name == voter.name}
    sides = [[pair.a.pk, pair.b.pk] for pair in differing if _key(pair) not in voted]
    _random.shuffle(sides)
    for side in sides:
        _random.shuffle(side)
    return [signing.dumps(side, salt=_SALT) for side in sides[:MAX_TOKENS]]


def blind_body(token: str, caller: Caller) -> dict[str, Any]:
    """Return a pair as JSON for the script, with nothing that tells the models apart but their objects: classes have
    their common names, and no probabilities. Raises RequestError.
    """
    left, right = _sides(token, caller)
    photo = left.photo
    first = min(left, right, key=lambda one: one.pk)
    return {
        "photo": reverse("detection-photo", args=[first.uuid]),
        "name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "sides": [_objects(one) for one in (left, right)],
    }


def _objects(detection: Detection) -> list[list[Any]]:
    found = detection.objects_found.all()
    return [[common_name(one.class_name), None, one.x, one.y, one.width, one.height, False] for one in found]


def record(token: str, choice: str, caller: Caller, voter: Reviewer) -> Vote:
    """Record a vote: for the left, the right, both or neither; once, if it is sent again. Raises RequestError."""
    left, right = _sides(token, caller)
    one, other = sorted((left, right), key=lambda detection: detection.pk)
    choices: Mapping[str, Vote.Choice] = {
        "left": Vote.Choice.ONE if left.pk == one.pk else Vote.Choice.OTHER,
        "right": Vote.Choice.ONE if right.pk == one.pk else Vote.Choice.OTHER,
        "both": Vote.Choice.BOTH,
        "neither": Vote.Choice.NEITHER,
    }
    if choice not in choices:
        raise RequestError(gettext("There is no such vote. Choose left, right, both or neither."))
    newest = Vote.objects.filter(one=one, other=other, user_name=voter.name).order_by("-pk").first()
    if voter.user_id is not None and newest is not None and newest.choice == choices[choice]:
        return newest
    return Vote.objects.create(
        one=one, other=other, choice=choices[choice], user_id=voter.user_id, user_name=voter.name
    )


def counts_of(pairs: Sequence[Pair]) -> VoteCounts:
    """Return the votes on pairs, of each person the newest one of a pair."""
    firsts = {_key(pair): pair.a.pk for pair in pairs}
    counts = dict.fromkeys(("a", "b", "both", "neither"), 0)
    for (one, other), _name, choice in _votes(pairs):
        chosen = {Vote.Choice.ONE: one, Vote.Choice.OTHER: other}.get(Vote.Choice(choice))
        side = choice if chosen is None else "a" if chosen == firsts[one, other] else "b"
        counts[side] += 1
    return VoteCounts(**counts)


def _votes(pairs: Sequence[Pair]) -> list[tuple[tuple[int, int], str, str]]:
    """Return pair, voter and choice of the votes that count."""
    keys = {_key(pair) for pair in pairs}
    rows = Vote.objects.filter(one__in={one for one, _other in keys}).order_by("pk")
    newest = {
        ((one, other), name): choice
        for one, other, name, choice in rows.values_list("one_id", "other_id", "user_name", "choice")
        if (one, other) in keys
    }
    return [(key, name, choice) for (key, name), choice in newest.items()]


def _key(pair: Pair) -> tuple[int, int]:
    one, other = sorted((pair.a.pk, pair.b.pk))
    return one, other


def _sides(token: str, caller: Caller) -> tuple[Detection, Detection]:
    """Return the left and the right detection. Raises RequestError."""
    try:
        left, right = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise RequestError(gettext("The vote is damaged. Open the page again.")) from error
    found = with_reported_objects(visible_detections(caller).filter(pk__in=[left, right])).in_bulk()
    if len(found) < len({left, right}):
        raise RequestError(gettext("This photo was deleted meanwhile. Go on with the next one."))
    return found[left], found[right]
