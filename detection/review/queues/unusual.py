"""Queues of unusual photos: with an object of a rare class, and unlike the photos that the same model saw before.

Measure of both: the share of the photos before that were alike. A photo is alike in a trait when it is in the same
step of it. Traits are made of what is stored anyway: megapixels (steps of the square root of 2), width by height (of
the fourth root of 2), brightness (of 16 of 255), sharpness (of the square root of 2), number of reported objects (of
the third root of 2), their mean probability (of 0.05), and each pair of frequent classes in it, where chance alone
would have put the two together five times as often as they were. The rarest trait counts. What is on the photo beyond
these, such as a new scene with the same brightness, is not seen.

The counts are of the last 50,000 photos of a model's version, older ones counting half; nothing is unusual among the
first 500. Photos that were looked at again are left out.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.i18n.class_titles import class_title
from detection.models import DetectedObject, Detection, QueuePlace
from detection.review.queues.filling import Filler
from detection.review.queues.kinds import of_places

LEAST_PHOTOS, MOST_PHOTOS = 500, 50_000
RARE_SHARE, UNLIKE_SHARE = 0.01, 0.002
_TOGETHER_BY_CHANCE = 5

_TRAITS = {
    "size": _("its size of %(value)s megapixels"),
    "shape": _("its shape, %(value)s times as wide as high"),
    "brightness": _("its brightness of %(value)s of 255"),
    "sharpness": _("its sharpness of %(value)s"),
    "objects": _("its number of objects, %(value)s"),
    "probability": _("the mean probability of its objects, %(value)s"),
    "pair": _("%(value)s on one photo"),
}

Trait = tuple[str, str, Any]
"""Name of the trait, its step, and its value for people."""


def _of_rare(place: QueuePlace) -> str:
    facts = place.facts
    said = {"class": class_title(facts["class"]), "alike": f"{facts['alike']:,}", "photos": f"{facts['photos']:,}"}
    return gettext("Rare class %(class)s: in %(alike)s of the %(photos)s earlier photos.") % said


def _of_unlike(place: QueuePlace) -> str:
    facts = place.facts
    value = facts["value"]
    if facts["trait"] == "pair":
        value = " + ".join(class_title(name) for name in value)
    said = {
        "trait": _TRAITS[facts["trait"]] % {"value": value},
        "alike": f"{facts['alike']:,}",
        "photos": f"{facts['photos']:,}",
    }
    return gettext("Unusual: %(trait)s, as in only %(alike)s of the %(photos)s earlier photos.") % said


_BEGINS = _("It fills once a model has seen 500 photos.")
RARE = of_places(
    "rare",
    _("Rare classes"),
    _("Photos with a class that was on fewer than one in a hundred earlier photos."),
    _of_rare,
    empty=_BEGINS,
)
UNLIKE = of_places(
    "unlike",
    _("Unlike earlier photos"),
    _("Photos of a size, shape, brightness, sharpness, number or mix of objects that hardly any earlier one had."),
    _of_unlike,
    empty=_BEGINS,
)


def _detections() -> QuerySet[Detection]:
    return Detection.objects.select_related("photo")


def _places(detections: Sequence[Detection], state: dict[str, Any]) -> list[QueuePlace]:
    """Compare each photo with those before it. state: by NAME@VERSION the number of photos and of each step."""
    objects: defaultdict[int, list[tuple[str, float]]] = defaultdict(list)
    rows = DetectedObject.objects.reported().filter(detection__in=[one.pk for one in detections])
    for pk, name, probability in rows.order_by().values_list("detection_id", "class_name", "probability"):
        objects[pk].append((name, probability))
    places: list[QueuePlace] = []
    for detection in detections:
        if detection.source == Detection.Source.REDETECT:
            continue
        model = f"{detection.model_name}@{detection.model_version}"
        history = state.setdefault(model, {"photos": 0, "counts": {}})
        found = objects[detection.pk]
        classes = sorted({name for name, _ in found})
        traits = [*_traits(detection, found), *_pairs(classes, history)]
        if history["photos"] >= LEAST_PHOTOS:
            places += _unusual(detection, classes, traits, history)
        _count(history, [*(f"class {name}" for name in classes), *(_step(each) for each in traits)])
    return places


def _traits(detection: Detection, found: Sequence[tuple[str, float]]) -> Iterator[Trait]:
    photo = detection.photo
    megapixels = photo.width * photo.height / 1e6
    yield "size", str(round(2 * math.log2(megapixels))), f"{megapixels:.2g}"
    shape = photo.width / photo.height
    yield "shape", str(round(4 * math.log2(shape))), f"{shape:.2g}"
    if photo.brightness is not None:
        yield "brightness", str(int(photo.brightness // 16)), round(photo.brightness)
    if photo.sharpness is not None:
        yield "sharpness", str(round(2 * math.log2(max(photo.sharpness, 1e-3)))), f"{photo.sharpness:.2g}"
    yield "objects", str(round(3 * math.log2(1 + len(found)))), len(found)
    if found:
        mean = sum(probability for _, probability in found) / len(found)
        yield "probability", str(int(mean * 20)), f"{mean:.2f}"


def _pairs(classes: Sequence[str], history: dict[str, Any]) -> Iterator[Trait]:
    """Yield the pairs of classes that are each frequent: rare ones have their own queue."""
    least = max(history["photos"], 1) * RARE_SHARE
    frequent = [name for name in classes if history["counts"].get(f"class {name}", 0) >= least]
    for pair in combinations(frequent, 2):
        yield "pair", " + ".join(pair), list(pair)


def _step(trait: Trait) -> str:
    return f"{trait[0]} {trait[1]}"


def _unusual(
    detection: Detection, classes: Sequence[str], traits: Sequence[Trait], history: dict[str, Any]
) -> Iterator[QueuePlace]:
    photos, counts = history["photos"], history["counts"]
    if classes:
        name = min(classes, key=lambda each: counts.get(f"class {each}", 0))
        alike = counts.get(f"class {name}", 0)
        if alike < RARE_SHARE * photos:
            yield _place(RARE.name, detection, alike, photos, {"class": name})
    telling = [each for each in traits if each[0] != "pair" or _is_telling(each, history)]
    trait = min(telling, key=lambda each: counts.get(_step(each), 0))
    alike = counts.get(_step(trait), 0)
    if alike < UNLIKE_SHARE * photos:
        yield _place(UNLIKE.name, detection, alike, photos, {"trait": trait[0], "value": trait[2]})


def _is_telling(pair: Trait, history: dict[str, Any]) -> bool:
    """Return whether two classes would have been together far more often if they were independent."""
    one, other = (history["counts"].get(f"class {name}", 0) for name in pair[2])
    together: int = history["counts"].get(_step(pair), 0)
    return bool(one * other / history["photos"] >= _TOGETHER_BY_CHANCE * (together + 1))


def _place(queue: str, detection: Detection, alike: int, photos: int, facts: dict[str, Any]) -> QueuePlace:
    return QueuePlace(
        queue=queue,
        detection_id=detection.pk,
        owner_id=detection.owner_id or 0,
        position=alike / photos,
        facts={"alike": alike, "photos": photos, **facts},
    )


def _count(history: dict[str, Any], steps: Sequence[str]) -> None:
    counts = history["counts"]
    for step in steps:
        counts[step] = counts.get(step, 0) + 1
    history["photos"] += 1
    if history["photos"] >= MOST_PHOTOS:
        history["photos"] //= 2
        history["counts"] = {step: count // 2 for step, count in counts.items() if count > 1}


FILLERS: tuple[Filler[Any], ...] = (Filler("unusual", (RARE.name, UNLIKE.name), _detections, _places),)
