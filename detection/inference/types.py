"""Values that travel between the steps of a detection: frozen, validated, free of any framework."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

ImageArray = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects of one photo, most probable first.

    boxes_xyxy_unit: (K, 4) float32, xmin, ymin, xmax, ymax in fractions of the photo.
    scores: (K,) float32 in [0, 1], not increasing.
    class_ids: (K,) int64, 0 is the first line of the model's class list.
    Raises ValueError when the shapes disagree.
    """

    boxes_xyxy_unit: FloatArray
    scores: FloatArray
    class_ids: IntArray

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes_xyxy_unit.shape != (count, 4) or self.class_ids.shape != (count,) or self.scores.ndim != 1:
            raise ValueError(
                f"boxes {self.boxes_xyxy_unit.shape}, scores {self.scores.shape} and class ids {self.class_ids.shape} "
                "do not describe the same objects"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def first(self, count: int) -> "Detections":
        """Return the `count` most probable objects."""
        return Detections(self.boxes_xyxy_unit[:count], self.scores[:count], self.class_ids[:count])


@dataclass(frozen=True, slots=True)
class PixelBox:
    """Rectangle in whole pixels of the upright photo."""

    x: int
    y: int
    width: int
    height: int


class DrawnBox(Protocol):
    """Interface of an object for drawing. probability: None for one that a person drew or named."""

    @property
    def class_name(self) -> str: ...

    @property
    def probability(self) -> float | None: ...

    @property
    def box(self) -> PixelBox: ...


class NamedBox(Protocol):
    """Interface of an object for drawing and JSON: one just found, or one read from the database."""

    @property
    def class_name(self) -> str: ...

    @property
    def probability(self) -> float: ...

    @property
    def box(self) -> PixelBox: ...


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One object as it is stored, drawn and returned.

    probability is the network's float32, written with the fewest digits that read back to it.
    box_xyxy_unit is xmin, ymin, xmax, ymax in fractions of the photo; box is the same in pixels.
    """

    class_id: int
    class_name: str
    probability: float
    box: PixelBox
    box_xyxy_unit: tuple[float, float, float, float]


class _Probable(Protocol):
    @property
    def class_name(self) -> str: ...

    @property
    def probability(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities above which objects are reported: of some classes by name, and of the rest."""

    rest: float
    by_class: Mapping[str, float] = field(default_factory=dict)

    def of(self, class_name: str) -> float:
        """Return the threshold of a class."""
        return self.by_class.get(class_name, self.rest)


_P = TypeVar("_P", bound=_Probable)


def rest_of(threshold: float | Thresholds) -> float:
    """Return the threshold of the classes without one of their own."""
    return threshold.rest if isinstance(threshold, Thresholds) else threshold


def is_reported(found: _Probable, threshold: float | Thresholds) -> bool:
    """Return whether an object is reported: its probability is above the threshold, or that of its class
    (`reported` of the table's rows).
    """
    least = threshold.of(found.class_name) if isinstance(threshold, Thresholds) else threshold
    return found.probability > least


def reported_at(objects: Iterable[_P], threshold: float | Thresholds) -> list[_P]:
    """Return the objects that are reported at a threshold, or at those of their classes, in their order."""
    if isinstance(threshold, Thresholds):
        return [found for found in objects if found.probability > threshold.of(found.class_name)]
    return [found for found in objects if found.probability > threshold]


@dataclass(slots=True)
class StageTimings:
    """Duration of each step in milliseconds, in the order in which the steps ran."""

    stages_ms: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        self.stages_ms[stage] = self.stages_ms.get(stage, 0.0) + seconds * 1000.0

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self.stages_ms.items())
