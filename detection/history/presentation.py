"""Presentation of a detection for pages. Reads stored rows only, never the network."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from detection.history.pagination import neighbours
from detection.i18n.class_titles import class_title
from detection.inference.detector import KEPT_PROBABILITY
from detection.inference.photos.draw import drawing_of
from detection.inference.types import is_reported
from detection.models import DetectedObject, Detection
from detection.web.serializers import prediction_body

SOURCE_TEXTS: Mapping[str, Promise] = {
    Detection.Source.PAGE: gettext_lazy("sent with the page"),
    Detection.Source.API: gettext_lazy("sent to the API"),
    Detection.Source.WEBSOCKET: gettext_lazy("sent over a WebSocket"),
    Detection.Source.COMMAND: gettext_lazy("read by a command"),
    Detection.Source.REDETECT: gettext_lazy("looked at again by another model"),
}
STAGE_TITLES: Mapping[str, Promise] = {
    "queue": gettext_lazy("Queue"),
    "decode": gettext_lazy("Decoding"),
    "resize": gettext_lazy("Resizing"),
    "inference": gettext_lazy("Network"),
    "boxes": gettext_lazy("Boxes"),
    "record": gettext_lazy("Record"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """Detection as a thumbnail with a line of text."""

    detection: Detection
    summary: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a detection and its duration; share is its percentage of the longest step."""

    name: str
    milliseconds: float
    share: str


def with_reported_objects(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    """Load photo and objects along with the detections, in two queries for any number of rows.

    The `objects_found.all()` of such a detection are its reported objects only.
    """
    reported = DetectedObject.objects.reported()
    return detections.select_related("photo").prefetch_related(Prefetch("objects_found", queryset=reported))


def cards(detections: Iterable[Detection]) -> list[Card]:
    """Return cards of detections that came from `with_reported_objects`."""
    return [Card(detection, summary(detection.objects_found.all())) for detection in detections]


def summary(objects: Iterable[DetectedObject]) -> str:
    """Return the classes with their counts, in the order of their most probable object."""
    return counts_text(Counter(found.class_name for found in objects))


def counts_text(counts: Mapping[str, int]) -> str:
    """Format classes with their counts as one line in the language of the reader, in the order given."""
    titles = ((class_title(name), count) for name, count in counts.items())
    parts = (title if count == 1 else f"{count} \N{MULTIPLICATION SIGN} {title}" for title, count in titles)
    return ", ".join(parts) or gettext("No objects")


def result_context(detection: Detection, threshold: float | None, page_url: str) -> dict[str, Any]:
    """Return the context of `detection/predict/_result.html`.

    threshold: objects with a probability above it are shown; None is the detection's own.
    page_url: the absolute address of the detection page.
    """
    own = threshold is None or threshold == detection.threshold
    above = detection.threshold if threshold is None else threshold
    stored = list(detection.objects_found.all())
    shown, weaker = _split(stored, above)
    query = "" if own else f"?threshold={above:g}"
    percent = number_format(f"{above * 100:g}")
    annotated_url = reverse("detection-annotated", args=[detection.uuid])
    photo_name = detection.photo.original_name or gettext("Photo")
    found = {"photo": photo_name, "objects": summary(shown)}
    return {
        "detection": detection,
        "photo_name": photo_name,
        "title": _title(len(shown), percent),
        "objects": _rows(shown),
        "weaker": _rows(weaker),
        "stored_count": len(stored),
        "threshold_percent": percent,
        "threshold_value": f"{above:g}",
        "lowest_threshold": f"{min(KEPT_PROBABILITY, detection.threshold):g}",
        "annotated_url": annotated_url + query,
        "picture_alt": (gettext("%(photo)s: %(objects)s, in red boxes") if shown else "%(photo)s: %(objects)s") % found,
        "share_url": page_url + query,
        "download_url": f"{annotated_url}{query}{'&' if query else '?'}download=1",
        "prediction_json": json.dumps(prediction_body(shown), indent=2, ensure_ascii=False),
    }


def provenance_context(detection: Detection) -> dict[str, Any]:
    """Return the origin of a detection: its source in words and its stages in milliseconds."""
    longest_ms = max(detection.timings_ms.values(), default=0.0) or 1.0
    stages = [
        Stage(str(STAGE_TITLES.get(name, name)), spent_ms, f"{spent_ms / longest_ms * 100:.1f}")
        for name, spent_ms in detection.stages_ms()
    ]
    return {
        "source_text": SOURCE_TEXTS[detection.source],
        "stages": stages,
        "total_ms": sum(stage.milliseconds for stage in stages),
    }


def viewer_context(detection: Detection, threshold: float | None, visible: QuerySet[Detection]) -> dict[str, Any]:
    """Return the data of the viewer's script: to redraw a detection without the server, and the neighbouring
    detections.

    threshold: that of `result_context`. visible: the detections that may be linked.
    """
    size_wh = (detection.photo.width, detection.photo.height)
    newer, older = neighbours(detection, visible)
    objects = [
        {"drawing": asdict(drawing_of(found, size_wh)), "prediction": prediction}
        for found, prediction in _predictions(detection.objects_found.all())
    ]
    viewer = {
        "width": detection.photo.width,
        "height": detection.photo.height,
        "ownThreshold": detection.threshold,
        "threshold": detection.threshold if threshold is None else threshold,
        "objects": objects,
    }
    return {"viewer": viewer, "newer": newer, "older": older}


def _predictions(objects: Iterable[DetectedObject]) -> list[tuple[DetectedObject, dict[str, Any]]]:
    """Return each object with its entry in the JSON of the API."""
    stored = list(objects)
    return list(zip(stored, prediction_body(stored)["prediction"], strict=True))


def _split(stored: Iterable[DetectedObject], threshold: float) -> tuple[list[DetectedObject], list[DetectedObject]]:
    """Split the objects into those above a threshold and the others."""
    shown: list[DetectedObject] = []
    weaker: list[DetectedObject] = []
    for found in stored:
        (shown if is_reported(found, threshold) else weaker).append(found)
    return shown, weaker


def _rows(objects: Iterable[DetectedObject]) -> list[tuple[DetectedObject, str, str]]:
    """Return each object with its formatted percentage and the width of its bar."""
    return [(found, _percent(found.probability), f"{found.probability * 100:.1f}") for found in objects]


def _percent(probability: float) -> str:
    """Format as percent with one decimal; a value below 1 is not rounded up to 100 %."""
    text = f"{probability * 100:.1f}"
    return f"> {number_format('99.9')}" if text == "100.0" and probability < 1 else number_format(text)


def _title(count: int, percent: str) -> str:
    if count == 0:
        return gettext("No objects above %(percent)s %%") % {"percent": percent}
    return ngettext("%(count)s object found", "%(count)s objects found", count) % {"count": count}
