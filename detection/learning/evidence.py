"""Evidence about a model's version, class by class: from people's verdicts, or from annotated photos."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detection.evaluation.results import PhotoResult
from detection.evaluation.voc_metrics import match
from detection.inference.detector import KEPT_PROBABILITY
from detection.learning.estimate import Evidence
from detection.models import Detection, Verdict

RIGHT = frozenset({Verdict.Kind.CONFIRMED, Verdict.Kind.CORRECTED})
JUDGED = RIGHT | {Verdict.Kind.REJECTED, Verdict.Kind.RELABELLED}


@dataclass(slots=True)
class _Rows:
    """Judged objects of a class while they are collected; clusters are photos."""

    scores: list[float] = field(default_factory=list)
    is_right: list[bool] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)

    def evidence(self, photos: int) -> Evidence:
        count = len(self.scores)
        return Evidence(
            np.array(self.scores, np.float64),
            np.array(self.is_right, bool),
            np.ones(count),
            np.zeros(count, np.int64),
            np.array(self.clusters, np.int64),
            np.array(self.missed, np.int64),
            photos,
        )


def from_verdicts(model_name: str, model_version: str) -> dict[str, Evidence]:
    """Return the objects of a model that have a verdict, by class, each counted once.

    Drawn objects of finished reviews were missed; so were those of the class that a person gave to another one's
    object. The figures are of the photos that people looked at, whoever chose them; `sampling.evidence_of_sample` is
    of all.
    """
    detections = Detection.objects.filter(model_name=model_name, model_version=model_version, removal=None)
    rows: defaultdict[str, _Rows] = defaultdict(_Rows)
    photos = set()
    for verdict in verdicts_in_force(detections.values("pk")):
        found = verdict.found
        if found is not None and verdict.kind in JUDGED:
            photos.add(verdict.detection_id)
            mine = rows[found.class_name]
            mine.scores.append(found.probability)
            mine.is_right.append(verdict.kind in RIGHT)
            mine.clusters.append(verdict.detection_id)
        if is_missed(verdict):
            rows[verdict.class_name].missed.append(verdict.detection_id)
    return {name: mine.evidence(len(photos)) for name, mine in rows.items() if mine.scores}


def verdicts_in_force(detections: Any) -> Iterable[Verdict]:
    """Return the newest verdict of each object of these detections (keys, or a query of them), with its object."""
    verdicts = Verdict.objects.filter(detection__in=detections).select_related("found").order_by("step", "pk")
    newest = {(one.detection_id, one.found_id, one.added_number): one for one in verdicts.iterator()}
    return [one for (_, found, added), one in newest.items() if found is not None or added is not None]


def is_missed(verdict: Verdict) -> bool:
    """Return whether a verdict tells of an object of its class that the model did not find as that."""
    return verdict.kind in {Verdict.Kind.ADDED, Verdict.Kind.RELABELLED}


def from_annotated(results: Sequence[PhotoResult], classes: Sequence[str]) -> dict[str, Evidence]:
    """Return the objects found in annotated photos by class, right where they overlap one by half (IoU 0.5)."""
    rows: defaultdict[str, _Rows] = defaultdict(_Rows)
    for class_id, name in enumerate(classes):
        for number, result in enumerate(results):
            judged = [pair for pair in match(result, class_id) if pair[0] >= KEPT_PROBABILITY]
            counted = int(np.count_nonzero((result.true_classes == class_id) & ~result.uncounted))
            rows[name].scores += [probability for probability, _ in judged]
            rows[name].is_right += [is_right for _, is_right in judged]
            rows[name].clusters += [number] * len(judged)
            rows[name].missed += [number] * (counted - sum(is_right for _, is_right in judged))
    return {name: mine.evidence(len(results)) for name, mine in rows.items() if mine.scores}


def pooled(evidence: Mapping[str, Evidence]) -> Evidence | None:
    """Return the evidence of several classes as one; None for no class. Strata of two classes stay apart."""
    parts = list(evidence.values())
    if not parts:
        return None
    strata = [part.strata + 1_000 * number for number, part in enumerate(parts)]
    return Evidence(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.is_right for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate(strata),
        np.concatenate([part.clusters for part in parts]),
        np.concatenate([part.missed for part in parts]),
        max(part.photos for part in parts),
    )
