"""Operating points that servers answer by, one for a model's version, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detection.inference.types import Thresholds
from detection.models import OperatingPoint


@dataclass(frozen=True, slots=True)
class ServedPoint:
    """Active operating point. pk: of its row; name: NAME@NUMBER."""

    pk: int
    name: str
    thresholds: Thresholds


# Replaced as a whole, so that a photo meets the old points or the new ones. Keys are name and version of the model.
_active: Mapping[tuple[str, str], ServedPoint] = {}


def refresh() -> None:
    """Read the active points; those that were active before are not read again. Raises django.db.Error."""
    global _active  # noqa: PLW0603  the state of this process
    known = {point.pk: point for point in _active.values()}
    rows = OperatingPoint.objects.filter(is_active=True)
    _active = {(row.model_name, row.model_version): known.get(row.pk) or _served(row) for row in rows}


def active(model_name: str, model_version: str) -> ServedPoint | None:
    """Return the active point of a model's version; None where its own threshold decides."""
    return _active.get((model_name, model_version))


def describe(model_name: str, model_version: str) -> dict[str, Any]:
    """Return the active point of a model's version for people and programs."""
    point = active(model_name, model_version)
    return {
        "operating_point": None if point is None else point.name,
        "class_thresholds": {} if point is None else dict(point.thresholds.by_class),
    }


def forget() -> None:
    """Answer by the models' own thresholds until the next `refresh`."""
    global _active  # noqa: PLW0603
    _active = {}


def _served(row: OperatingPoint) -> ServedPoint:
    return ServedPoint(row.pk, str(row), row.thresholds())
