"""Where answers and a shadow model disagree: by pair of models, by class, and photo by photo."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum

from detection.inference.network import full_name
from detection.inference.types import PixelBox
from detection.models import ShadowCount, ShadowRun

_MODELS = ("detection__model_name", "detection__model_version", "model_name", "model_version")
_SUMMED = ("matched", "only_answer", "only_candidate", "difference")


@dataclass(frozen=True, slots=True)
class Pair:
    """The model that answered and the candidate, by name and version each, and how many photos they both have seen."""

    models: tuple[str, str, str, str]
    photos: int

    @property
    def answer(self) -> str:
        """The model that answered, name@version."""
        return full_name(*self.models[:2])

    @property
    def candidate(self) -> str:
        """The model that looked on, name@version."""
        return full_name(*self.models[2:])

    @property
    def key(self) -> str:
        """The pair in an address."""
        return f"{self.answer},{self.candidate}"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Objects of one class: found by both, by one alone; difference: of those that both found, the candidate's
    probability less the answer's, summed up.
    """

    class_name: str
    matched: int
    only_answer: int
    only_candidate: int
    difference: float

    @property
    def mean_difference(self) -> float | None:
        """None where there is nothing that both found."""
        return self.difference / self.matched if self.matched else None


@dataclass(frozen=True, slots=True)
class Boxed:
    """An object of a comparison, as drawing needs it."""

    class_name: str
    probability: float
    box: PixelBox


def pairs() -> list[Pair]:
    """All pairs of models that were compared, the one with most photos first."""
    rows = ShadowRun.objects.order_by().values_list(*_MODELS).annotate(photos=Count("pk")).order_by("-photos", *_MODELS)
    return [Pair((answer, its_version, name, version), photos) for answer, its_version, name, version, photos in rows]


def runs_of(pair: Pair) -> QuerySet[ShadowRun]:
    """The comparisons of a pair, those with most disagreement first."""
    return ShadowRun.objects.filter(**dict(zip(_MODELS, pair.models, strict=True)))


def by_class(pair: Pair) -> list[ClassRow]:
    """One row a class, most disagreement first; the last one, without a name, is all of them together."""
    counts = ShadowCount.objects.filter(run__in=runs_of(pair).order_by().values("pk")).order_by()
    sums = counts.values_list("class_name").annotate(*(Sum(name) for name in _SUMMED))
    found = [ClassRow(*row) for row in sums]
    found.sort(key=lambda row: (-row.only_answer - row.only_candidate, row.class_name))
    every = ClassRow("", *(sum(getattr(row, name) for row in found) for name in _SUMMED))
    return [*found, every] if found else []


def objects_of(run: ShadowRun) -> list[Boxed]:
    """What the candidate has found."""
    return [Boxed(found["class"], found["probability"], PixelBox(*found["box"])) for found in run.objects_found]
