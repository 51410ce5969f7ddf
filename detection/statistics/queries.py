"""Statistics of the history, summed from the rollup counters, never from the detections themselves."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Case, Q, QuerySet, Sum, Value, When

from detection.history.counters import SCORE_BINS
from detection.models import Detection, Tally
from detection.statistics import blind
from detection.statistics.intervals import VerdictCounts
from detection.statistics.periods import Bucket, bucket_of, parts_by_month, start_of

OTHERS = ""
_RIGHT_OR_WRONG = (Tally.Kind.CONFIRMED, Tally.Kind.CORRECTED, Tally.Kind.REJECTED, Tally.Kind.RELABELLED)


@dataclass(frozen=True, slots=True)
class Scope:
    """Part of the history that is counted.

    first, last: days in UTC, both included; None for no bound. source, model_name: empty for all. owner_id: whose
    detections alone; None for everybody's. is_blind: those alone that were reviewed blindly.
    """

    first: date | None = None
    last: date | None = None
    source: str = ""
    model_name: str = ""
    owner_id: int | None = None
    is_blind: bool = False

    @property
    def bucket(self) -> Bucket:
        """Bucket of its counts."""
        return bucket_of(self.first, self.last)

    def sums(self, kinds: Sequence[Tally.Kind], *names: str, **computed: Case) -> Counter[Any]:
        """Sum the counts of these kinds by the values of these columns: a value for one column, a tuple for several.

        computed: columns that are in `names` but not in the table.
        """
        if self.is_blind:
            return self._sums_of_blind(kinds, names)
        parts = [self._sums_of(days, kinds, names, computed) for days in self._parts()]
        sums: Counter[Any] = Counter()
        for *values, count in parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]:
            sums[values[0] if len(names) == 1 else tuple(values)] += count
        return sums

    def _sums_of_blind(self, kinds: Sequence[Tally.Kind], names: Sequence[str]) -> Counter[Any]:
        detections = Detection.objects.all() if self.owner_id is None else Detection.objects.filter(owner=self.owner_id)
        chosen = blind.within(detections, self.first, self.last, source=self.source, model_name=self.model_name)
        sums: Counter[Any] = Counter()
        for key, count in blind.counts(chosen, kinds).items():
            values = tuple(getattr(key, name) for name in names)
            sums[values[0] if len(names) == 1 else values] += count
        return sums

    def _parts(self) -> list[Q]:
        """Return days of a short period; of a long one months, and days where it cuts a month.

        Each is a query of its own: SQLite finds no index for days or months in one condition.
        """
        if self.bucket == Bucket.DAY:
            return [_between(Tally.Span.DAY, self.first, self.last)]
        parts = parts_by_month(self.first, self.last)
        days = [_between(Tally.Span.DAY, first, last) for first, last in parts.days]
        return [_between(Tally.Span.MONTH, *parts.months), *days]

    def _sums_of(
        self, days: Q, kinds: Sequence[Tally.Kind], names: Sequence[str], computed: Mapping[str, Case]
    ) -> QuerySet[Tally, tuple[Any, ...]]:
        given: dict[str, Any] = {
            "source": self.source or None,
            "model_name": self.model_name or None,
            "owner_id": self.owner_id,
        }
        conditions = {name: value for name, value in given.items() if value is not None}
        rows = Tally.objects.filter(days, kind__in=kinds, **conditions).annotate(**computed).order_by()
        # Rows whose detections were all deleted count 0.
        return rows.values_list(*names).annotate(total=Sum("count")).filter(total__gt=0)


class PhotoCount(NamedTuple):
    """Counts of photos, and of those without objects."""

    photos: int
    empty: int


class Verdicts(NamedTuple):
    """Verdicts of people.

    judged: by the model's class, most verdicts first. relabelled: objects by the model's class and the reviewer's.
    added: objects that people drew, by class.
    """

    judged: tuple[VerdictCounts, ...]
    relabelled: Counter[tuple[str, str]]
    added: Counter[str]

    @property
    def together(self) -> VerdictCounts:
        """Verdicts of all classes together."""
        return VerdictCounts(
            "",
            sum(one.confirmed for one in self.judged),
            sum(one.corrected for one in self.judged),
            sum(one.rejected for one in self.judged),
            sum(one.relabelled for one in self.judged),
        )


def photos_over_time(scope: Scope) -> dict[date, PhotoCount]:
    """Return photos by day, or by month where the scope's bucket is one; those with photos, the oldest first."""
    counts: Counter[tuple[str, date]] = Counter()
    for (kind, day), count in scope.sums((Tally.Kind.PHOTO, Tally.Kind.EMPTY), "kind", "day").items():
        counts[kind, start_of(scope.bucket, day)] += count
    days = sorted(day for kind, day in counts if kind == Tally.Kind.PHOTO)
    return {day: PhotoCount(counts[Tally.Kind.PHOTO, day], counts[Tally.Kind.EMPTY, day]) for day in days}


def objects_by_class(scope: Scope) -> Counter[str]:
    """Count the reported objects of each class."""
    return scope.sums((Tally.Kind.OBJECT,), "class_name")


def objects_over_time(scope: Scope, classes: Sequence[str] | None = None) -> Counter[tuple[date, str]]:
    """Count reported objects by class and by day, or month where the scope's bucket is one.

    classes: those counted separately, all others are OTHERS; None for all of them.
    """
    if classes is None or scope.is_blind:
        every = scope.sums((Tally.Kind.OBJECT,), "day", "class_name")
        sums: Counter[tuple[date, str]] = Counter()
        for (day, name), count in every.items():
            sums[day, name if classes is None or name in classes else OTHERS] += count
    else:
        shown = Case(When(class_name__in=classes, then="class_name"), default=Value(OTHERS))
        sums = scope.sums((Tally.Kind.OBJECT,), "day", "shown", shown=shown)
    counts: Counter[tuple[date, str]] = Counter()
    for (day, name), count in sums.items():
        counts[start_of(scope.bucket, day), name] += count
    return counts


def scores(scope: Scope) -> tuple[int, ...]:
    """Count reported objects by the twentieth of their probability, from the lowest on."""
    counts = scope.sums((Tally.Kind.SCORE,), "detail")
    return tuple(counts[f"{place:02d}"] for place in range(SCORE_BINS))


def verdicts(scope: Scope) -> Verdicts:
    """Return the verdicts in force on the objects of these detections."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    relabelled: Counter[tuple[str, str]] = Counter()
    added: Counter[str] = Counter()
    sums = scope.sums((*_RIGHT_OR_WRONG, Tally.Kind.ADDED), "kind", "class_name", "detail")
    for (kind, class_name, detail), count in sums.items():
        if kind == Tally.Kind.ADDED:
            added[class_name] += count
            continue
        counts[class_name][kind] += count
        if kind == Tally.Kind.RELABELLED:
            relabelled[class_name, detail] += count
    judged = [VerdictCounts(name, *(of_class[kind] for kind in _RIGHT_OR_WRONG)) for name, of_class in counts.items()]
    return Verdicts(tuple(sorted(judged, key=lambda one: (-one.total, one.class_name))), relabelled, added)


def model_names(owner_id: int | None = None) -> list[str]:
    """Return the models that have made detections, alphabetically."""
    return sorted(Scope(owner_id=owner_id).sums((Tally.Kind.PHOTO,), "model_name"))


def _between(span: Tally.Span, first: date | None, last: date | None) -> Q:
    given = {"day__gte": first, "day__lte": last}
    return Q(span=span, **{name: day for name, day in given.items() if day is not None})
