"""Queues of photos that two looks disagree on: the shadow model's, and tiles against the whole photo."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.evaluation.matching import Agreement, compare
from detection.inference.types import FoundObject, reported_at
from detection.models import DetectedObject, Detection, QueuePlace, ShadowRun
from detection.program import PROGRAM
from detection.review.queues.filling import Filler
from detection.review.queues.kinds import counted, of_places


def _of_shadow(place: QueuePlace) -> str:
    facts = place.facts
    sentences = []
    if facts["other"]:
        sentences.append(gettext("Only the shadow model %(model)s found: %(objects)s."))
    if facts["ours"]:
        sentences.append(gettext("The shadow model %(model)s did not find: %(missed)s."))
    said = {"model": facts["model"], "objects": counted(facts["other"]), "missed": counted(facts["ours"])}
    return " ".join(sentences) % said


def _of_tiles(place: QueuePlace) -> str:
    facts = place.facts
    sentences = []
    if facts["ours"]:
        sentences.append(gettext("Found in tiles, not in the whole photo: %(objects)s."))
    if facts["other"]:
        sentences.append(gettext("Found in the whole photo, not with tiles: %(missed)s."))
    return " ".join(sentences) % {"objects": counted(facts["ours"]), "missed": counted(facts["other"])}


SHADOW = of_places(
    "shadow",
    _("The shadow model disagrees"),
    _("Photos in which the shadow model found other objects, the most of them first."),
    _of_shadow,
    empty=_("Set SHADOW_MODEL to let a second model look at the photos that come in."),
)
TILES = of_places(
    "tiles",
    _("Tiles and whole photo disagree"),
    _("Photos that one model looked at with tiles and without, and found other objects, the most of them first."),
    _of_tiles,
    empty=format_lazy(
        _("Let “{program} redetect NAME --tiles 2” look at photos of the history again."), program=PROGRAM
    ),
)


def _place(
    queue: str, detection: Detection, ours: Mapping[str, int], other: Mapping[str, int], **facts: Any
) -> QueuePlace:
    """ours, other: objects by class that only the detection has, and only the other look."""
    return QueuePlace(
        queue=queue,
        detection_id=detection.pk,
        owner_id=detection.owner_id or 0,
        position=-float(sum(ours.values()) + sum(other.values())),
        facts={"ours": ours, "other": other, **facts},
    )


def _shadow_runs() -> QuerySet[ShadowRun]:
    return ShadowRun.objects.select_related("detection").prefetch_related("counts")


def _places_of_runs(runs: Sequence[ShadowRun], _state: dict[str, Any]) -> list[QueuePlace]:
    return [
        _place(
            SHADOW.name,
            run.detection,
            {count.class_name: count.only_answer for count in run.counts.all() if count.only_answer},
            {count.class_name: count.only_candidate for count in run.counts.all() if count.only_candidate},
            model=f"{run.model_name}@{run.model_version}".rstrip("@"),
        )
        for run in runs
        if run.disagreements
    ]


def _detections() -> QuerySet[Detection]:
    return Detection.objects.select_related("photo")


def _places_of_tiles(detections: Sequence[Detection], _state: dict[str, Any]) -> list[QueuePlace]:
    """Compare each photo that was looked at with tiles and without, by the same model."""
    return [place for tiled, whole in _pairs(detections) if (place := _compared(tiled, whole)) is not None]


def _pairs(detections: Sequence[Detection]) -> Iterable[tuple[Detection, Detection]]:
    """Yield pairs of which one is among the detections; of several looks without tiles the newest."""
    tiled = [one for one in detections if one.tile_grid]
    whole = [one for one in detections if not one.tile_grid]
    others = _detections().order_by("pk")
    of_tiled = {_key(one): one for one in others.filter(photo__sha256__in=_hashes(tiled), tile_grid="")}
    for one in tiled:
        if _key(one) in of_tiled:
            yield one, of_tiled[_key(one)]
    of_whole = {_key(one): one for one in whole}
    known = {one.pk for one in tiled}
    for one in others.filter(photo__sha256__in=_hashes(whole), tile_grid__gt="").exclude(pk__in=known):
        if _key(one) in of_whole:
            yield one, of_whole[_key(one)]


def _key(detection: Detection) -> tuple[str, str, int | None]:
    # Of one owner alone: the reason would tell another one that the same photo was sent, and what was found in it.
    return detection.photo.sha256, detection.model_sha256, detection.owner_id


def _hashes(detections: Iterable[Detection]) -> list[str]:
    return sorted({one.photo.sha256 for one in detections})


def _compared(tiled: Detection, whole: Detection) -> QueuePlace | None:
    """Compare two detections above the threshold of the first."""
    of_tiles, of_whole = (
        [_found(one) for one in reported_at(each.objects_found.all(), tiled.thresholds)] for each in (tiled, whole)
    )
    agreement: Mapping[str, Agreement] = compare(of_tiles, of_whole)
    ours = Counter({name: each.only_answer for name, each in agreement.items() if each.only_answer})
    other = Counter({name: each.only_candidate for name, each in agreement.items() if each.only_candidate})
    return _place(TILES.name, tiled, ours, other) if ours or other else None


def _found(row: DetectedObject) -> FoundObject:
    corners = (row.xmin, row.ymin, row.xmax, row.ymax)
    return FoundObject(row.class_id, row.class_name, row.probability, row.box, corners)


FILLERS: tuple[Filler[Any], ...] = (
    Filler(SHADOW.name, (SHADOW.name,), _shadow_runs, _places_of_runs),
    Filler(TILES.name, (TILES.name,), _detections, _places_of_tiles),
)
