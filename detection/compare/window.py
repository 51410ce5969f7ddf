"""Window of a set: the photos of it that both models have answered, from the newest on, as many as a page compares.

The set is whatever the gallery's filters find. Its photos are read in the order of its list, from the indexes of that
list, and the answers of each chunk by their photos, so that a window costs the same among a million detections.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from django.db.models import QuerySet

from detection.accounts.access import Caller, limits
from detection.compare.pairs import Pair, pairs_of
from detection.history.pagination import Cursor, page_of
from detection.inference.network import full_name
from detection.models import Detection, Removal

# What one page compares, and how far it looks for that.
MAX_PAIRS = 1_000
MAX_LOOKED_AT = 10_000
_CHUNK = 1_000
# A model with at most so many detections decides which photos are looked at.
FEW = 2_000


class ModelName(NamedTuple):
    """Model by name and version; the empty version means all of them."""

    name: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the model of NAME or NAME@VERSION."""
        name, _, version = text.partition("@")
        return cls(name, version)

    def __str__(self) -> str:
        return full_name(*self)

    def made(self, name: str, version: str) -> bool:
        """Return whether a detection with this name and version is one of its."""
        return self.name == name and self.version in {"", version}

    def detections(self) -> QuerySet[Detection]:
        """Return its detections, in no order."""
        of_version = {"model_version": self.version} if self.version else {}
        return Detection.objects.filter(model_name=self.name, **of_version).order_by()


@dataclass(frozen=True, slots=True)
class Window:
    """Pairs of a part of a set, the newest first.

    looked_at: photos of the set that were looked at; lacking_a, lacking_b: how many of them have no answer of A, of B.
    detection_ids: primary keys of all detections of the pairs' photos that the caller may see. older: where the next
    window begins; None at the end of the set. is_narrowed: the set is large and one model has few detections, so that
    only their photos were looked at.
    """

    pairs: tuple[Pair, ...] = ()
    looked_at: int = 0
    lacking_a: int = 0
    lacking_b: int = 0
    detection_ids: frozenset[int] = frozenset()
    older: Cursor | None = None
    is_narrowed: bool = False


class _Answer(NamedTuple):
    pk: int
    photo_id: int
    name: str
    version: str


@dataclass(slots=True)
class _Reading:
    """Pairs that were read so far: photos in the order of the set, and the primary keys of both answers of each."""

    found: dict[int, tuple[int, int]] = field(default_factory=dict)
    looked_at: set[int] = field(default_factory=set)
    lacking_a: int = 0
    lacking_b: int = 0
    detection_ids: set[int] = field(default_factory=set)

    def take(self, photo_ids: Iterable[int], answers: dict[int, list[_Answer]], a: ModelName, b: ModelName) -> None:
        for photo_id in photo_ids:
            if photo_id in self.looked_at:
                continue
            self.looked_at.add(photo_id)
            by_a, by_b = (_newest(answers.get(photo_id, ()), model) for model in (a, b))
            self.lacking_a += by_a is None
            self.lacking_b += by_b is None
            if by_a is not None and by_b is not None:
                self.found[photo_id] = (by_a, by_b)
                self.detection_ids.update(one.pk for one in answers[photo_id])


def window_of(
    matching: QuerySet[Detection], a: ModelName, b: ModelName, caller: Caller, cursor: Cursor | None = None
) -> Window:
    """Return the next pairs of a set, from a cursor on.

    matching: the set, from `DetectionFilter`, of what the caller may see.
    """
    keys = _few(matching, a, b)
    narrowed = matching if keys is None else matching.filter(pk__in=keys)
    reading = _Reading()
    while True:
        page = page_of(narrowed.only("photo_id", "created_at"), cursor, _CHUNK)
        photo_ids = list(dict.fromkeys(one.photo_id for one in page.detections))
        reading.take(photo_ids, _answers(photo_ids, caller), a, b)
        cursor = page.older
        if cursor is None or len(reading.found) >= MAX_PAIRS or len(reading.looked_at) >= MAX_LOOKED_AT:
            break
    return Window(
        _pairs(list(reading.found.values())),
        len(reading.looked_at),
        reading.lacking_a,
        reading.lacking_b,
        frozenset(reading.detection_ids),
        cursor,
        keys is not None,
    )


def _few(matching: QuerySet[Detection], a: ModelName, b: ModelName) -> list[int] | None:
    """Return the detections of the photos that a model with few detections has answered, so that they are found in a
    large set; None for a set that is read whole, and where both have many.
    """
    if matching.order_by()[: MAX_LOOKED_AT + 1].count() <= MAX_LOOKED_AT:
        return None
    for model in (a, b):
        photo_ids = list(model.detections().values_list("photo_id", flat=True)[: FEW + 1])
        if len(photo_ids) <= FEW:
            return list(Detection.objects.filter(photo__in=photo_ids).order_by().values_list("pk", flat=True))
    return None


def _answers(photo_ids: Sequence[int], caller: Caller) -> dict[int, list[_Answer]]:
    """Return the visible detections of photos, the newest first, from the index of photos alone: what is left out is
    left out here, so that no planner prefers another index.
    """
    rows = Detection.objects.filter(photo__in=photo_ids).order_by("-created_at", "-pk")
    known = list(rows.values_list("pk", "photo_id", "model_name", "model_version", "owner_id"))
    removed = set(
        Removal.objects.filter(detection__in=[row[0] for row in known]).values_list("detection_id", flat=True)
    )
    owner_id = limits(caller)
    answers: dict[int, list[_Answer]] = {}
    for pk, photo_id, name, version, owner in known:
        if pk not in removed and owner_id in {None, owner}:
            answers.setdefault(photo_id, []).append(_Answer(pk, photo_id, name, version))
    return answers


def _newest(answers: Iterable[_Answer], model: ModelName) -> int | None:
    return next((one.pk for one in answers if model.made(one.name, one.version)), None)


def _pairs(keys: Sequence[tuple[int, int]]) -> tuple[Pair, ...]:
    wanted = {pk for pair in keys for pk in pair}
    detections = Detection.objects.select_related("photo").in_bulk(wanted)
    # One that was deleted meanwhile has no pair any more.
    return pairs_of([(detections[a], detections[b]) for a, b in keys if a in detections and b in detections])
