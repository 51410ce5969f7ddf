"""Measures of one day of a model version, from its detections."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from django.db.models import F, QuerySet
from django.db.models.functions import Mod

from detection.drift.comparison import Measure
from detection.models import DetectedObject, Detection

# Of more photos a day an even sample is measured.
MAX_PHOTOS = 5_000
_MAX_CLASSES = 60
_MAX_OBJECTS = 20
_CHUNK = 500


def detections_of(day: date, name: str, version: str) -> QuerySet[Detection]:
    """Return the detections of a model on a day in UTC, without photos that were looked at again."""
    first = datetime.combine(day, time.min, UTC)
    found = Detection.objects.filter(created_at__gte=first, created_at__lt=first + timedelta(days=1))
    return found.filter(model_name=name, model_version=version).exclude(source=Detection.Source.REDETECT).order_by()


def measured(day: date, name: str, version: str) -> tuple[int, dict[str, Measure]]:
    """Return how many photos there were, and the measures of a day."""
    found = detections_of(day, name, version)
    count = found.count()
    if count > MAX_PHOTOS:
        found = found.annotate(rest=Mod(F("pk"), -(-count // MAX_PHOTOS))).filter(rest=0)
    columns = ("pk", "photo__width", "photo__height", "photo__format")
    rows = list(found.values_list(*columns, "photo__brightness", "photo__sharpness"))
    objects = _objects([pk for pk, *_ in rows])
    values: defaultdict[str, list[float]] = defaultdict(list)
    shares: Counter[str] = Counter()
    for pk, width, height, photo_format, brightness, sharpness in rows:
        seen = objects.get(pk, [])
        shares["empty"] += not seen
        shares[f"format:{photo_format}"] += 1
        shares.update(f"class:{each}" for each in {class_name for class_name, _, _ in seen})
        values["objects"].append(min(len(seen), _MAX_OBJECTS))
        values["photo size"].append(math.log2(max(1, width * height)))
        if seen:
            values["score"].append(sum(score for _, score, _ in seen) / len(seen))
            values["object size"].append(sum(size for _, _, size in seen) / len(seen))
        if brightness is not None:
            values["brightness"].append(brightness)
        if sharpness is not None:
            values["sharpness"].append(sharpness)
    return count, {**_shares(shares, len(rows)), **_means(values)}


def _objects(pks: Sequence[int]) -> dict[int, list[tuple[str, float, float]]]:
    """Return class, probability and log2 of the area's share of the photo, of the reported objects by detection."""
    found: defaultdict[int, list[tuple[str, float, float]]] = defaultdict(list)
    columns = ("detection_id", "class_name", "probability", "xmin", "ymin", "xmax", "ymax")
    for first in range(0, len(pks), _CHUNK):
        rows = DetectedObject.objects.reported().filter(detection__in=pks[first : first + _CHUNK]).order_by()
        for pk, class_name, probability, xmin, ymin, xmax, ymax in rows.values_list(*columns):
            area = max((xmax - xmin) * (ymax - ymin), 1e-6)
            found[pk].append((class_name, probability, math.log2(area)))
    return found


def _shares(counts: Counter[str], photos: int) -> dict[str, Measure]:
    kept = [name for name in counts if not name.startswith("class:")]
    kept += [name for name, _ in counts.most_common() if name.startswith("class:")][:_MAX_CLASSES]
    shares = {name: counts[name] / photos for name in kept}
    return {name: Measure(photos, share, share * (1 - share)) for name, share in shares.items()}


def _means(values: Mapping[str, Iterable[float]]) -> dict[str, Measure]:
    arrays = {name: np.array(list(each), float) for name, each in values.items()}
    return {name: Measure(len(each), float(each.mean()), float(each.var())) for name, each in arrays.items()}
