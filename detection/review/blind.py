"""Blind reviews: what the objects that a person drew, before any box was shown, say of those that the model found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detection.evaluation.class_names import common_name
from detection.evaluation.matching import partners
from detection.history.annotations import Judged
from detection.inference.types import PixelBox
from detection.models import Verdict


class Drawn(NamedTuple):
    """Object that a person drew. key: that of `Judged`; None for one of the step that finishes the review."""

    key: str | None
    class_name: str
    box: PixelBox


class Outcome(NamedTuple):
    """Statement that follows; the fields are those of `service.Statement`."""

    key: str | None
    kind: str
    class_name: str | None = None
    box: PixelBox | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    class_name: str
    box_xyxy_unit: tuple[float, float, float, float]


def outcomes(drawn: Sequence[Drawn], found: Sequence[Judged]) -> list[Outcome]:
    """Return what follows of the drawn objects and those that the model reports.

    An object of the model that lies where a drawn one of its class lies (IoU of 0.5 or more) is right and gets the
    drawn box; one where only a drawn one of another class lies is relabelled; all others are rejected. A drawn object
    that stands for one of the model's is that one from then on; the others were missed.
    """
    stands_for = _partners(drawn, found)
    said = []
    for place, one in enumerate(drawn):
        if place in stands_for:
            model = found[stands_for[place]]
            is_same = common_name(one.class_name) == common_name(model.class_name)
            said.append(Outcome(model.key, Verdict.Kind.CORRECTED, None if is_same else one.class_name, one.box))
            if one.key is not None:
                said.append(Outcome(one.key, Verdict.Kind.CLEARED))
        elif one.key is None:
            said.append(Outcome(None, Verdict.Kind.ADDED, one.class_name, one.box))
    taken = set(stands_for.values())
    said += [Outcome(one.key, Verdict.Kind.REJECTED) for place, one in enumerate(found) if place not in taken]
    return said


def _partners(drawn: Sequence[Drawn], found: Sequence[Judged]) -> dict[int, int]:
    """Return the places of the model's objects by those of the drawn ones: of one class first, then of any."""
    ours, theirs = (
        [_placed(one.class_name, one.box) for one in drawn],
        [_placed(one.class_name, one.box) for one in found],
    )
    matched = dict(partners(ours, theirs))
    left = [place for place in range(len(drawn)) if place not in matched]
    right = [place for place in range(len(found)) if place not in set(matched.values())]
    any_class = partners(
        [_placed("", drawn[place].box) for place in left], [_placed("", found[place].box) for place in right]
    )
    return matched | {left[one]: right[other] for one, other in any_class}


def _placed(class_name: str, box: PixelBox) -> _Placed:
    # An IoU is the same in pixels and in fractions of the photo.
    return _Placed(class_name, (box.x, box.y, box.x + box.width, box.y + box.height))
