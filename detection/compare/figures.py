"""Difference of two models by class: what each alone has found, and who was right where people have reviewed."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from detection.compare.pairs import Pair
from detection.evaluation.class_names import common_name
from detection.evaluation.matching import Placed, partners
from detection.history.annotations import objects_of, with_verdicts
from detection.models import DetectedObject, Detection, Photo, Review
from detection.statistics.intervals import Interval, paired_difference, sign_test, wilson_interval


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """Objects of a class, or with the empty name of all: found by both, by A alone, by B alone.

    is_common: whether both models know the class.
    """

    class_name: str
    both: int
    only_a: int
    only_b: int
    is_common: bool = True

    @property
    def share(self) -> float | None:
        """Of what one alone has found, the share that A has; None where there is nothing."""
        alone = self.only_a + self.only_b
        return self.only_a / alone if alone else None

    @property
    def interval(self) -> Interval | None:
        """95 % score interval of the share (`intervals.wilson_interval`)."""
        alone = self.only_a + self.only_b
        return wilson_interval(self.only_a, alone) if alone else None


@dataclass(frozen=True, slots=True)
class ClassTruth:
    """Objects of a class that people say are there, by who has found them; and what the models found that is not there.

    false_a, false_b: objects of the model that match none of the people's. is_common: whether both models know the
    class.
    """

    class_name: str
    both: int
    only_a: int
    only_b: int
    neither: int
    false_a: int
    false_b: int
    is_common: bool = True

    @property
    def total(self) -> int:
        """Objects that are there."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def difference(self) -> float | None:
        """Recall of A less that of B; None without an object."""
        return (self.only_a - self.only_b) / self.total if self.total else None

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the difference, paired by object (Newcombe's method 10, `intervals.paired_difference`)."""
        return paired_difference(self.both, self.only_a, self.only_b, self.neither) if self.total else None

    @property
    def p_value(self) -> float:
        """McNemar's exact test on the objects that one alone has found (`intervals.sign_test`)."""
        return sign_test(self.only_a, self.only_b)


@dataclass(frozen=True, slots=True)
class Truth:
    """Object that people say is there."""

    class_name: str
    box_xyxy_unit: tuple[float, float, float, float]


def differences(pairs: Iterable[Pair], common: Container[str] | None = None) -> list[ClassDifference]:
    """Return the sum of all classes that both models know, then one row for each class, by its common name, most
    difference first; nothing for no object.

    common: the common names of the classes that both know; None where that is not known, which counts as all.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        sides = {"a": pair.objects_a, "b": pair.objects_b, "only_a": pair.only_a, "only_b": pair.only_b}
        for kind, objects in sides.items():
            counts.update((common_name(one.class_name), kind) for one in objects)
    rows = [
        ClassDifference(
            name,
            counts[name, "a"] - counts[name, "only_a"],
            counts[name, "only_a"],
            counts[name, "only_b"],
            common is None or name in common,
        )
        for name in {name for name, _kind in counts}
    ]
    rows.sort(key=lambda row: (not row.is_common, -row.only_a - row.only_b, row.class_name))
    shared = [row for row in rows if row.is_common]
    total = ClassDifference("", *(sum(getattr(row, one) for row in shared) for one in ("both", "only_a", "only_b")))
    return [total, *rows] if rows else []


def truths_of(detection_ids: Iterable[int], *, blind: bool = False) -> dict[int, list[Truth]]:
    """Return what people say is there, by photo: as the newest finished review of one of these detections has it.

    blind: by blind reviews alone.
    """
    done = Review.objects.filter(detection__in=list(detection_ids), is_reviewed=True).order_by("reviewed_at")
    done = done.filter(is_blind=True) if blind else done
    reviewed = dict(done.values_list("detection__photo_id", "detection_id"))
    detections = with_verdicts(Detection.objects.filter(pk__in=reviewed.values()).select_related("photo"))
    return {detection.photo_id: _truths(detection, detection.photo) for detection in detections}


def _truths(detection: Detection, photo: Photo) -> list[Truth]:
    found = []
    for one in objects_of(detection):
        if one.is_there:
            x, y, width, height = one.box.x, one.box.y, one.box.width, one.box.height
            corners = (x / photo.width, y / photo.height, (x + width) / photo.width, (y + height) / photo.height)
            found.append(Truth(one.class_name, corners))
    return found


def judged(
    pairs: Iterable[Pair], truths: Mapping[int, Sequence[Truth]], common: Container[str] | None = None
) -> list[ClassTruth]:
    """Return who was right in the photos with a truth: the sum of the classes that both models know, then each class.

    common: as for `differences`.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        if pair.a.photo_id in truths:
            _judge(pair, truths[pair.a.photo_id], counts)
    rows = [
        ClassTruth(name, **{kind: of_class[kind] for kind in _KINDS}, is_common=common is None or name in common)
        for name, of_class in counts.items()
    ]
    rows.sort(key=lambda row: (not row.is_common, -row.only_a - row.only_b - row.false_a - row.false_b, row.class_name))
    total = ClassTruth("", *(sum(getattr(row, kind) for row in rows if row.is_common) for kind in _KINDS))
    return [total, *rows] if rows else []


_KINDS = ("both", "only_a", "only_b", "neither", "false_a", "false_b")


def _judge(pair: Pair, truth: Sequence[Truth], counts: defaultdict[str, Counter[str]]) -> None:
    right_a, right_b = (_matched(truth, objects) for objects in (pair.objects_a, pair.objects_b))
    for place, one in enumerate(truth):
        kind = {(True, True): "both", (True, False): "only_a", (False, True): "only_b"}.get(
            (place in right_a, place in right_b), "neither"
        )
        counts[common_name(one.class_name)][kind] += 1
    for kind, objects, right in (("false_a", pair.objects_a, right_a), ("false_b", pair.objects_b, right_b)):
        for found in _others(objects, set(right.values())):
            counts[common_name(found.class_name)][kind] += 1


def _matched(truth: Sequence[Placed], objects: Sequence[DetectedObject]) -> dict[int, int]:
    return dict(partners(truth, objects))


def _others(objects: Sequence[DetectedObject], places: set[int]) -> list[DetectedObject]:
    return [one for place, one in enumerate(objects) if place not in places]
