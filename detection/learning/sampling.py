"""Measuring sample: objects drawn at random from strata of class and probability, and what verdicts on it are worth.

A review queue decides what people judge, so shares among what they judged are those of the queue, not of the model.
Here chance decides, with a known probability: of N objects of a stratum n are drawn without replacement, each with
n / N, below the reporting threshold too. A judged object then stands for N / (judged objects of its stratum) objects,
the estimator of Horvitz and Thompson (1952, doi:10.1080/01621459.1952.10483446) for a stratified sample
(W. G. Cochran, Sampling Techniques, 3rd ed. 1977, chapters 5 and 5A). Sums of these weights are unbiased for the sums
over all objects of the photos that were drawn from; precision and recall are ratios of two such sums
(`estimate.figures_at`), whose bias is of the order of 1 / n. Objects are drawn, not photos, so each is a cluster of
its own.

Which of the drawn objects are judged is chance too, as long as people go by the queue: it shows them in random order.
Other queues may judge drawn objects for what they are, so verdicts count up to the last position before which nine
tenths are judged. The others of these, which people left out, are taken to be like the judged ones of their stratum.
Recall is of the objects that the model keeps (from 0.1 up): what it does not see at all cannot be drawn.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from secrets import randbits

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from detection.inference.types import Thresholds
from detection.learning.estimate import Evidence, Floats, Share, expected, figures_at, narrowed
from detection.learning.evidence import JUDGED, RIGHT
from detection.learning.strata import COUNT, Draw, Integers, draw, weights_of
from detection.models import (
    DetectedObject,
    Detection,
    QueuePlace,
    Sample,
    SampledObject,
    SampleStratum,
    Verdict,
)

# Name of the queue that its photos are in.
QUEUE = "measure"
NEWEST_PHOTOS = 20_000
VERDICTS = 400
MAX_VERDICTS = 10_000
# So many verdicts, on average, for each class that gets strata of its own.
_OF_A_CLASS = 100
_CHUNK = 500
_LEAST_JUDGED = 0.9


class SampleError(Exception):
    """No sample can be drawn; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Evidence of a sample by class, "" for the classes without strata of their own, and how much of it is judged."""

    evidence: dict[str, Evidence]
    judged: int
    drawn: int


def newest_of(model: tuple[str, str]) -> Sample | None:
    """Return the newest sample of a model's name and version; None where none was drawn."""
    return Sample.objects.filter(model_name=model[0], model_version=model[1]).order_by("-pk").first()


def draw_sample(
    model: tuple[str, str], verdicts: int = VERDICTS, newest: int = NEWEST_PHOTOS, seed: int | None = None
) -> Sample:
    """Draw a sample of `verdicts` objects of the newest photos of a model, which takes the place of the one before in
    the queue. Raises SampleError.

    The most frequent classes have strata of their own, as many as get 50 verdicts or more; the others share theirs.
    """
    if not 1 <= verdicts <= MAX_VERDICTS or newest < 1:
        raise SampleError(f"Draw 1 to {MAX_VERDICTS:,} objects, of one photo at least.")
    photos, population = _population(model, newest)
    if not len(population.pks):
        raise SampleError(
            f"{'@'.join(model).rstrip('@')} has found no objects yet. Draw a sample when it has answered some photos."
        )
    own = [name for name, _ in population.counts.most_common(max(verdicts // _OF_A_CLASS - 1, 0))]
    names = own if len(own) == len(population.counts) else [*own, ""]
    group_of = np.array([names.index(name) if name in own else len(names) - 1 for name in population.names], np.int64)
    seed = randbits(62) if seed is None else seed
    drawn = draw(group_of[population.class_ids], population.scores, verdicts, np.random.default_rng(seed))
    with transaction.atomic():
        _leave_queue(newest_of(model))
        sample = Sample.objects.create(
            model_name=model[0], model_version=model[1], photos=photos, objects_kept=len(population.pks), seed=seed
        )
        _write(sample, names, population.pks[drawn.chosen], drawn)
    return sample


@dataclass(frozen=True, slots=True, eq=False)
class _Population:
    """Objects that a sample is drawn from. pks, class_ids, scores: (N,); class_ids are places in `names`."""

    pks: Integers
    class_ids: Integers
    scores: Floats
    names: list[str]
    counts: Counter[str]


def newest_photos(model: tuple[str, str], newest: int) -> QuerySet[Detection, int]:
    """Return the keys of a model's newest detections that are not in the trash."""
    rows = Detection.objects.filter(model_name=model[0], model_version=model[1], removal=None)
    return rows.order_by("-created_at", "-pk").values_list("pk", flat=True)[:newest]


def _population(model: tuple[str, str], newest: int) -> tuple[int, _Population]:
    detections = sorted(newest_photos(model, newest))
    ids: dict[str, int] = {}
    counts: Counter[str] = Counter()
    parts: list[tuple[list[int], list[int], list[float]]] = []
    for start in range(0, len(detections), _CHUNK):
        rows = DetectedObject.objects.filter(detection__in=detections[start : start + _CHUNK]).order_by("pk")
        found = list(rows.values_list("pk", "class_name", "probability"))
        counts.update(name for _, name, _ in found)
        parts.append(
            (
                [pk for pk, _, _ in found],
                [ids.setdefault(name, len(ids)) for _, name, _ in found],
                [probability for _, _, probability in found],
            )
        )
    pks, class_ids, scores = ([one for part in parts for one in part[column]] for column in range(3))
    population = _Population(
        np.array(pks, np.int64), np.array(class_ids, np.int64), np.array(scores, np.float64), list(ids), counts
    )
    return len(detections), population


def _leave_queue(sample: Sample | None) -> None:
    if sample is not None:
        detections = SampledObject.objects.filter(stratum__sample=sample).values_list("found__detection_id", flat=True)
        QueuePlace.objects.filter(queue=QUEUE, detection__in=list(detections)).delete()


def discard(sample: Sample) -> None:
    """Delete a sample and its places in the queue; verdicts stay."""
    with transaction.atomic():
        if sample == newest_of((sample.model_name, sample.model_version)):
            _leave_queue(sample)
        sample.delete()


def _write(sample: Sample, names: Sequence[str], pks: Integers, drawn: Draw) -> None:
    """Write strata, objects, and the places of their photos in the queue."""
    strata = SampleStratum.objects.bulk_create(
        SampleStratum(
            sample=sample,
            class_name=names[number // COUNT],
            band=number % COUNT,
            population=population,
            drawn=drawn.sizes[number],
        )
        for number, population in enumerate(drawn.populations.tolist())
    )
    sampled = [
        SampledObject(stratum=strata[stratum], found_id=pk, position=position)
        for pk, stratum, position in zip(pks.tolist(), drawn.strata.tolist(), drawn.positions.tolist(), strict=True)
    ]
    SampledObject.objects.bulk_create(sampled, batch_size=_CHUNK)
    QueuePlace.objects.bulk_create(_places(sampled), batch_size=_CHUNK)


def _places(sampled: Sequence[SampledObject]) -> list[QueuePlace]:
    position_of = {one.found_id: one.position for one in sampled}
    judged = set(_judged_objects(list(position_of)))
    places: dict[int, QueuePlace] = {}
    pks = list(position_of)
    for start in range(0, len(pks), _CHUNK):
        rows = DetectedObject.objects.filter(pk__in=pks[start : start + _CHUNK]).order_by("pk")
        for pk, rank, detection_id, owner_id in rows.values_list("pk", "rank", "detection_id", "detection__owner_id"):
            new = QueuePlace(
                queue=QUEUE, detection_id=detection_id, owner_id=owner_id or 0, position=1.0, facts={"objects": []}
            )
            place = places.setdefault(detection_id, new)
            place.facts["objects"].append(rank)
            place.position = min(place.position, position_of[pk])
            place.is_done = pk in judged and (place.is_done or len(place.facts["objects"]) == 1)
    return list(places.values())


def _judged_objects(pks: Sequence[int]) -> dict[int, bool]:
    """Return those of the objects that are judged, and whether they are right."""
    kinds: dict[int | None, str] = {}
    for start in range(0, len(pks), _CHUNK):
        verdicts = Verdict.objects.filter(found__in=pks[start : start + _CHUNK]).order_by("step", "pk")
        kinds.update(verdicts.values_list("found_id", "kind"))
    return {pk: kind in RIGHT for pk, kind in kinds.items() if pk is not None and kind in JUDGED}


def evidence_of_sample(sample: Sample) -> Judged:
    """Return the evidence that the verdicts on a sample give; see the module."""
    rows = list(
        SampledObject.objects.filter(stratum__sample=sample, found__detection__removal=None)
        .order_by("position", "pk")
        .values_list("found_id", "stratum__class_name", "stratum__band", "found__probability")
    )
    judged = _judged_objects([pk for pk, _, _, _ in rows])
    counted = [row for row in rows[: _reached([row[0] in judged for row in rows])] if row[0] in judged]
    populations: defaultdict[str, Integers] = defaultdict(lambda: np.zeros(COUNT, np.int64))
    for name, band, population in sample.strata.values_list("class_name", "band", "population"):
        populations[name][band] = population
    evidence = {}
    for name, of_class in populations.items():
        mine = [row for row in counted if row[1] == name]
        if not mine:
            continue
        bands = np.array([row[2] for row in mine], np.int64)
        evidence[name] = Evidence(
            np.array([row[3] for row in mine], np.float64),
            np.array([judged[row[0]] for row in mine], bool),
            weights_of(bands, of_class),
            bands,
            np.array([row[0] for row in mine], np.int64),
            photos=sample.photos,
        )
    return Judged(evidence, len(counted), len(rows))


def _reached(is_judged: Sequence[bool]) -> int:
    """Return how many objects come before the last position up to which nine tenths are judged."""
    shares = np.cumsum(is_judged) / np.arange(1, len(is_judged) + 1)
    enough = np.flatnonzero(shares >= _LEAST_JUDGED)
    return int(enough[-1]) + 1 if len(enough) else 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Precision of a class above its threshold by a sample, and what the rest of the sample would make of it.

    class_name: "" for the classes without strata of their own, None for all together. judged, left: objects of the
    sample on both sides of the threshold. precision: None until one above it was judged. then: once all are judged.
    """

    class_name: str | None
    threshold: float | None
    judged: int
    left: int
    precision: Share | None
    then: Share


def progress(sample: Sample, thresholds: Thresholds) -> list[Progress]:
    """Return how precise the figures of a sample are, all classes together first."""
    known = evidence_of_sample(sample)
    rows = SampledObject.objects.filter(stratum__sample=sample, found__detection__removal=None)
    drawn: defaultdict[str, list[float]] = defaultdict(list)
    for name, probability in rows.values_list("stratum__class_name", "found__probability"):
        drawn[name].append(probability - thresholds.of(name))
    shifted = {
        name: replace(one, scores=one.scores - thresholds.of(name), strata=one.strata + COUNT * number)
        for number, (name, one) in enumerate(known.evidence.items())
    }
    classes = [
        _progress(name, thresholds.of(name), shifted.get(name), of_class)
        for name, of_class in sorted(drawn.items(), key=lambda each: (not each[0], each[0]))
    ]
    everything = [one for of_class in drawn.values() for one in of_class]
    return [_progress(None, None, _together(list(shifted.values())), everything), *classes]


def _progress(name: str | None, threshold: float | None, known: Evidence | None, drawn: Sequence[float]) -> Progress:
    figures = None if known is None else figures_at(known, 0.0)
    above = sum(one > 0 for one in drawn)
    precision = None if figures is None else figures.precision
    then = expected(above)
    if figures is not None and precision is not None and figures.judged:
        then = narrowed(precision, max(above / figures.judged, 1.0))
    judged = 0 if known is None else len(known)
    return Progress(name, threshold, judged, len(drawn) - judged, precision, then)


def _together(parts: Sequence[Evidence]) -> Evidence | None:
    if not parts:
        return None
    return Evidence(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.is_right for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.strata for part in parts]),
        np.concatenate([part.clusters for part in parts]),
        photos=parts[0].photos,
    )
