"""Formats a comparison as JSON and as tables for people."""

import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from detection.evaluation.class_names import common_name
from detection.evaluation.datasets import Dataset
from detection.evaluation.scores import Scores
from detection.inference.detector import Detector
from detection.inference.hardware import usable_cores


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Results of one precision, one choice of tiles, or one model.

    model: name@version. inference_ms: median of the network alone; with_decoding_ms: from the bytes of a photo to the
    network's outputs, for all tiles. Boxes are excluded: down to the probability that a curve needs there are many more
    of them than in service.
    """

    model: str
    precision: str
    model_sha256: str
    engine: str
    device: str
    scores: Scores
    inference_ms: float
    with_decoding_ms: float


def document(
    dataset: Dataset, unknown: Counter[str], detector: Detector, evaluated: Mapping[str, Evaluated], what: str
) -> dict[str, Any]:
    """Return everything, for JSON. detector: one of the compared ones; unknown: objects that were left out.

    what: "precisions" or "tiles" of one model, or "models".
    """
    return {
        "dataset": {
            "name": dataset.name,
            "style": dataset.style,
            "photos": len(dataset.photos),
            "unknown_objects": dict(sorted(unknown.items())),
        },
        "model": {
            "name": detector.network.name,
            "version": detector.network.version,
            "edge": detector.network.edge,
        },
        "machine": {"processor": platform.machine(), "cores": usable_cores()},
        what: {name: asdict(each) for name, each in evaluated.items()},
    }


def summary(evaluated: Mapping[str, Evaluated], what: str = "precision") -> Table:
    """Return one row a precision, a choice of tiles, or a model."""
    thresholds = {each.scores.threshold for each in evaluated.values()}
    above = f" > {thresholds.pop():g}" if len(thresholds) == 1 else ""
    table = Table(title="Accuracy and speed")
    table.add_column(what, min_width=max(map(len, evaluated)))
    for heading in (
        "AP@[.5:.95]",
        "AP@.5",
        "small",
        "medium",
        "large",
        "VOC 11",
        "VOC all",
        f"precision{above}",
        f"recall{above}",
        "network ms",
        "decoded",
    ):
        table.add_column(heading, justify="right")
    for name, each in evaluated.items():
        scores = each.scores
        table.add_row(
            name,
            _points(scores.coco_ap),
            _points(scores.coco_ap50),
            _points(scores.coco_ap_small),
            _points(scores.coco_ap_medium),
            _points(scores.coco_ap_large),
            _points(scores.voc_ap_11_point),
            _points(scores.voc_ap_all_point),
            _points(scores.precision),
            _points(scores.recall),
            f"{each.inference_ms:.1f}",
            f"{each.with_decoding_ms:.1f}",
        )
    return table


def by_class(evaluated: Evaluated) -> Table:
    """Return one row for each class that occurs."""
    table = Table(title=f"Classes in {evaluated.precision}")
    table.add_column("class")
    for heading in ("objects", "AP@[.5:.95]", "VOC 11-point", "VOC all-point", "precision", "recall"):
        table.add_column(heading, justify="right")
    for row in evaluated.scores.classes:
        if row.objects:
            table.add_row(
                row.name,
                str(row.objects),
                _points(row.coco_ap),
                _points(row.voc_ap_11_point),
                _points(row.voc_ap_all_point),
                _points(row.precision),
                _points(row.recall),
            )
    return table


def side_by_side(evaluated: Mapping[str, Evaluated]) -> Table:
    """Return one row for each class that occurs: AP@[.5:.95] of each model, under the class's common name."""
    table = Table(title="AP@[.5:.95] by class")
    for heading in ("class", "objects", *evaluated):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    rows = [{common_name(row.name): row for row in each.scores.classes if row.objects} for each in evaluated.values()]
    for name in sorted(rows[0]):
        table.add_row(name, str(rows[0][name].objects), *(_points(classes[name].coco_ap) for classes in rows))
    return table


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
