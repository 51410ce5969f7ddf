"""Report of disagreements between answers and a shadow model: by pair of models, by class, and by photo."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum

from detection.inference.network import full_name
from detection.inference.types import PixelBox
from detection.models import ShadowCount, ShadowRun

_MODELS = ("detection__model_name", "detection__model_version", "model_name", "model_version")
_SUMMED = ("matched", "only_answer", "only_candidate", "difference")


@dataclass(frozen=True, slots=True)
class Pair:
    """Answering model and candidate, by name and version each, and the number of photos that both have seen."""

    models: tuple[str, str, str, str]
    photos: int

    @property
    def answer(self) -> str:
        """The model that answered, name@version."""
        return full_name(*self.models[:2])

    @property
    def candidate(self) -> str:
        """The candidate, name@version."""
        return full_name(*self.models[2:])

    @property
    def key(self) -> str:
        """The pair in an address."""
        return f"{self.answer},{self.candidate}"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Objects of one class: found by both, by one alone; difference: of those that both found, the sum of the
    candidate's probability less the answer's.
    """

    class_name: str
    matched: int
    only_answer: int
    only_candidate: int
    difference: float

    @property
    def mean_difference(self) -> float | None:
        """Mean of the difference; None without common objects."""
        return self.difference / self.matched if self.matched else None


@dataclass(frozen=True, slots=True)
class Boxed:
    """Object of a comparison, for drawing."""

    class_name: str
    probability: float
    box: PixelBox


def pairs() -> list[Pair]:
    """Return all pairs of models that were compared, the one with most photos first."""
    rows = ShadowRun.objects.order_by().values_list(*_MODELS).annotate(photos=Count("pk")).order_by("-photos", *_MODELS)
    return [Pair((answer, its_version, name, version), photos) for answer, its_version, name, version, photos in rows]


def runs_of(pair: Pair) -> QuerySet[ShadowRun]:
    """Return the comparisons of a pair, those with most disagreement first."""
    return ShadowRun.objects.filter(**dict(zip(_MODELS, pair.models, strict=True)))


def by_class(pair: Pair) -> list[ClassRow]:
    """Return one row for each class, most disagreement first; the last one, without a name, is the sum of all."""
    counts = ShadowCount.objects.filter(run__in=runs_of(pair).order_by().values("pk")).order_by()
    sums = counts.values_list("class_name").annotate(*(Sum(name) for name in _SUMMED))
    found = [ClassRow(*row) for row in sums]
    found.sort(key=lambda row: (-row.only_answer - row.only_candidate, row.class_name))
    every = ClassRow("", *(sum(getattr(row, name) for row in found) for name in _SUMMED))
    return [*found, every] if found else []


def objects_of(run: ShadowRun) -> list[Boxed]:
    """Return the candidate's objects."""
    return [Boxed(found["class"], found["probability"], PixelBox(*found["box"])) for found in run.objects_found]
