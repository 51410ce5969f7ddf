"""Presentation of a detection for pages. Reads stored rows only, never the network."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from detection.history.annotations import Judged, is_corrected, shown_objects
from detection.history.pagination import neighbours
from detection.i18n.class_titles import class_title
from detection.inference.detector import KEPT_PROBABILITY
from detection.inference.tiles.grid import WHOLE
from detection.inference.types import Thresholds, reported_at
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


def summary(objects: Iterable[DetectedObject | Judged]) -> str:
    """Return the classes with their counts, in the order of their most probable object."""
    return counts_text(Counter(found.class_name for found in objects))


def counts_text(counts: Mapping[str, int]) -> str:
    """Format classes with their counts as one line in the language of the reader, in the order given."""
    titles = ((class_title(name), count) for name, count in counts.items())
    parts = (title if count == 1 else f"{count} \N{MULTIPLICATION SIGN} {title}" for title, count in titles)
    return ", ".join(parts) or gettext("No objects")


def result_context(
    detection: Detection, threshold: float | None, page_url: str, *, by_model: bool = False
) -> dict[str, Any]:
    """Return the context of `detection/predict/_result.html`.

    threshold: objects with a probability above it are shown; None is the detection's own.
    page_url: the absolute address of the detection page. by_model: show the model's answer, not what people made of it.
    """
    above = detection.threshold if threshold is None else threshold
    shown, weaker = _shown_and_weaker(detection, threshold, by_model=by_model)
    asked = {} if threshold is None or threshold == detection.threshold else {"threshold": f"{above:g}"}
    asked |= {"answer": "model"} if by_model else {}
    query = f"?{urlencode(asked)}" if asked else ""
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
        "stored_count": len(shown) + len(weaker),
        "is_corrected": is_corrected(detection),
        "by_model": by_model,
        "threshold_percent": percent,
        "threshold_value": f"{above:g}",
        "lowest_threshold": f"{min(KEPT_PROBABILITY, detection.threshold):g}",
        "annotated_url": annotated_url + query,
        "picture_alt": (gettext("%(photo)s: %(objects)s, in red boxes") if shown else "%(photo)s: %(objects)s") % found,
        "share_url": page_url + query,
        "download_url": f"{annotated_url}{query}{'&' if query else '?'}download=1",
        "prediction_json": json.dumps(_model_answer(detection, threshold), indent=2, ensure_ascii=False),
    }


def request_options(detection: Detection, threshold: float | None) -> dict[str, str]:
    """Return the query of /predict that asks the same of the same photo. threshold: None is the detection's own."""
    above = threshold if threshold is not None or detection.point_id is not None else detection.threshold
    asked = {"model": detection.model_name}
    asked |= {} if above is None else {"threshold": f"{above:g}"}
    asked |= {} if detection.tiles == WHOLE else {"tiles": detection.tiles}
    return asked


def _shown_and_weaker(
    detection: Detection, threshold: float | None, *, by_model: bool = False
) -> tuple[list[Judged], list[Judged]]:
    """Return the objects that are shown, and those that a lower threshold would show too."""
    shown = shown_objects(detection, threshold, by_model=by_model)
    keys = {one.key for one in shown}
    everything = shown_objects(detection, 0.0, by_model=by_model)
    return shown, [one for one in everything if one.key not in keys]


def _model_answer(detection: Detection, threshold: float | None) -> dict[str, Any]:
    """Return the JSON of the API: what the model said, whatever people made of it."""
    return prediction_body(reported_at(detection.objects_found.all(), detection.thresholds_at(threshold)))


def provenance_context(detection: Detection) -> dict[str, Any]:
    """Return the origin of a detection: its source in words and its stages in milliseconds."""
    longest_ms = max(detection.timings_ms.values(), default=0.0) or 1.0
    stages = [
        Stage(str(STAGE_TITLES.get(name, name)), spent_ms, f"{spent_ms / longest_ms * 100:.1f}")
        for name, spent_ms in detection.stages_ms()
    ]
    return {
        "tile_grid": detection.tile_grid.replace("x", " \N{MULTIPLICATION SIGN} "),
        "source_text": SOURCE_TEXTS[detection.source],
        "stages": stages,
        "total_ms": sum(stage.milliseconds for stage in stages),
    }


def viewer_context(
    detection: Detection, threshold: float | None, visible: QuerySet[Detection], *, by_model: bool = False
) -> dict[str, Any]:
    """Return the data of the viewer's script: to redraw a detection without the server, and the neighbouring
    detections.

    threshold, by_model: those of `result_context`. visible: the detections that may be linked.
    """
    newer, older = neighbours(detection, visible)
    above = detection.threshold if threshold is None else threshold
    shown, weaker = _shown_and_weaker(detection, threshold, by_model=by_model)
    viewer = {
        "width": detection.photo.width,
        "height": detection.photo.height,
        "ownThreshold": detection.threshold,
        "classThresholds": dict(_class_thresholds(detection)),
        "threshold": above,
        "objects": [_viewed(one) for one in (*shown, *weaker)],
        "model": prediction_body(detection.objects_found.all())["prediction"],
    }
    return {"viewer": viewer, "newer": newer, "older": older}


def _class_thresholds(detection: Detection) -> Mapping[str, float]:
    """Return the thresholds of classes that have one of their own."""
    own = detection.thresholds
    return own.by_class if isinstance(own, Thresholds) else {}


def _viewed(judged: Judged) -> dict[str, Any]:
    """Return an object for the viewer's script. isSaid: a person said so, whatever its probability."""
    prediction = {"objectClass": judged.class_name, "probability": judged.probability, **asdict(judged.box)}
    return {"prediction": prediction, "isSaid": bool(judged.kind)}


def _rows(objects: Iterable[Judged]) -> list[tuple[Judged, str, str]]:
    """Return each object with its formatted percentage and the width of its bar; empty where a person named it."""
    return [
        (one, "", "") if one.probability is None else (one, _percent(one.probability), f"{one.probability * 100:.1f}")
        for one in objects
    ]


def _percent(probability: float) -> str:
    """Format as percent with one decimal; a value below 1 is not rounded up to 100 %."""
    text = f"{probability * 100:.1f}"
    return f"> {number_format('99.9')}" if text == "100.0" and probability < 1 else number_format(text)


def _title(count: int, percent: str) -> str:
    if count == 0:
        return gettext("No objects above %(percent)s %%") % {"percent": percent}
    return ngettext("%(count)s object found", "%(count)s objects found", count) % {"count": count}
