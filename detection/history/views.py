"""The pages. Each reads its request, asks a service or the database, and renders a template."""

from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.staticfiles import finders
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from detection import services
from detection.accounts import throttling
from detection.accounts.access import caller_of, limits, visible_to
from detection.conf import current
from detection.errors import ModelUnavailableError, RequestError
from detection.history import counters, presentation, selectors, trash
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor, HistoryPage, page_of
from detection.i18n.class_titles import class_title
from detection.inference.detector import KEPT_PROBABILITY
from detection.models import Detection
from detection.registry import catalogue, listing
from detection.serving import service as serving
from detection.web.forms import PhotoForm, ThresholdForm, first_sentence
from detection.web.responses import _ANSWERED, HttpResponseSeeOther, _render

RECENT_COUNT = 6
SAMPLE_PHOTO = "detection/samples/chelsea.jpg"
FILTER_LABELS = {
    "class": gettext_lazy("Object"),
    "reviewed": gettext_lazy("Review"),
    "date_from": gettext_lazy("From"),
    "date_to": gettext_lazy("To"),
}


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """The first page; POST is the upload of a browser without scripts."""
    if request.method != "POST":
        return _render_home(request)
    if "sample" in request.POST:
        sample = Path(str(finders.find(SAMPLE_PHOTO)))
        return _detect(request, sample.read_bytes(), sample.name)
    form = PhotoForm(request.POST, request.FILES)
    if not form.is_valid():
        return _render_home(request, RequestError(first_sentence(form)))
    upload = form.cleaned_data["image"]
    return _detect(request, upload.read(), upload.name, request.POST.get("model", ""))


# A video file of the visitor is played from the browser's memory. It is not sent; frames of it are.
@csp_update({"media-src": ["blob:"]})
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The camera of the visitor, with boxes that follow over `/ws/live`."""
    threshold = catalogue.default_threshold()
    context = {
        "threshold": f"{threshold:g}",
        "threshold_percent": f"{threshold * 100:g}",
        "lowest_threshold": f"{min(KEPT_PROBABILITY, threshold):g}",
        "models": listing.choices(),
    }
    return _render(request, "detection/live.html", context, None)


@require_safe
def detection_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One detection: picture, objects, JSON, and how it was made; `?threshold=` moves what is shown."""
    return _render_detection(request, _detection(request, uuid))


@require_POST
def delete_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete a detection, then show the history, where it can be undone."""
    detection = _detection(request, uuid)
    try:
        trash.remove(detection)
    except _ANSWERED as error:
        return _render_detection(request, detection, error)
    return HttpResponseSeeOther(reverse("history"))


@require_POST
def restore_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Undo a deletion, then show the detection."""
    removal = get_object_or_404(trash.of(caller_of(request.user)), detection__uuid=uuid)
    try:
        trash.restore(removal)
    except _ANSWERED as error:
        return _render_history(request, error=error)
    messages.success(request, gettext("The detection is back."))
    return HttpResponseSeeOther(removal.detection.get_absolute_url())


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Thumbnails of what was detected, newest first, by class and date, in pages of keyset cursors."""
    filters = DetectionFilter(request.GET, presentation.with_reported_objects(_detections(request)), request=request)
    if not filters.is_valid():
        return _render_history(request, error=RequestError(_filter_sentence(filters)))
    try:
        cursor = Cursor.parse(request.GET["cursor"]) if request.GET.get("cursor") else None
    except BadCursorError as error:
        return _render_history(request, error=RequestError(str(error)))
    page = page_of(filters.qs, cursor)
    if cursor is not None and not page.detections:
        return HttpResponseRedirect(_history_url(request.GET, None))
    return _render_history(request, page)


def _detect(request: HttpRequest, data: bytes, name: str, model: str = "") -> HttpResponse:
    caller = caller_of(request.user)
    try:
        throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
        answer = services.detect(
            services.Upload(data, Detection.Source.PAGE, original_name=name, owner_id=caller.user_id, model=model)
        )
    except _ANSWERED as error:
        return _render_home(request, error)
    return HttpResponseSeeOther(reverse("detection-page", args=[answer.detection_uuid]))


def _detections(request: HttpRequest) -> QuerySet[Detection]:
    return selectors.shown(visible_to(caller_of(request.user), Detection.objects.all()))


def _detection(request: HttpRequest, uuid: UUID) -> Detection:
    return get_object_or_404(_detections(request).select_related("photo"), uuid=uuid)


def _render_home(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    max_body_bytes = current.config().max_body_bytes
    recent = presentation.with_reported_objects(_detections(request))[:RECENT_COUNT]
    context = {
        "max_body_bytes": max_body_bytes,
        "max_megabytes": f"{max_body_bytes / 1e6:g}",
        "model": _model_info(),
        "models": listing.choices(),
        "chosen_model": request.POST.get("model", ""),
        "predict_url": request.build_absolute_uri(current.config().rest_entry_point),
        "recent": presentation.cards(recent),
    }
    return _render(request, "detection/home.html", context, error)


def _render_detection(request: HttpRequest, detection: Detection, error: Exception | None = None) -> HttpResponse:
    form = ThresholdForm(request.GET)
    threshold: float | None = None
    if form.is_valid():
        threshold = form.cleaned_data["threshold"]
    elif error is None:
        error = RequestError(first_sentence(form))
    page_url = request.build_absolute_uri(detection.get_absolute_url())
    context = {
        **presentation.result_context(detection, threshold, page_url),
        **presentation.provenance_context(detection),
        "undo_minutes": trash.UNDO_MINUTES,
        **presentation.closer_context(detection, threshold, _detections(request)),
    }
    return _render(request, "detection/detection.html", context, error)


def _render_history(
    request: HttpRequest, page: HistoryPage | None = None, *, error: Exception | None = None
) -> HttpResponse:
    chosen = {name: request.GET.get(name, "") for name in FILTER_LABELS}
    shown = page or HistoryPage((), None, None)
    context = {
        "cards": presentation.cards(shown.detections),
        "chosen": chosen,
        "classes": _known_classes(request),
        "filtered": any(chosen.values()),
        "removed": trash.of(caller_of(request.user))[: trash.SHOWN_COUNT],
        "undo_minutes": trash.UNDO_MINUTES,
        "newer_url": shown.newer and _history_url(request.GET, shown.newer),
        "older_url": shown.older and _history_url(request.GET, shown.older),
    }
    return _render(request, "detection/history.html", context, error)


def _known_classes(request: HttpRequest) -> list[tuple[str, str]]:
    """The classes of all reported objects, also those of a model of the past, each with what pages call it."""
    names = counters.class_names(limits(caller_of(request.user)))
    return sorted(((name, class_title(name)) for name in names), key=itemgetter(1))


def _filter_sentence(filters: DetectionFilter) -> str:
    name, errors = next(iter(filters.form.errors.items()))
    problem = {"field": FILTER_LABELS.get(name, name), "problem": errors[0]}
    return gettext("%(field)s: %(problem)s Change it, then press Show.") % problem


def _history_url(query: QueryDict, cursor: Cursor | None) -> str:
    chosen = query.copy()
    chosen.pop("cursor", None)
    if cursor is not None:
        chosen["cursor"] = str(cursor)
    return reverse("history") + (f"?{chosen.urlencode()}" if chosen else "")


def _model_info() -> dict[str, Any] | None:
    try:
        return serving.model_info()
    except ModelUnavailableError:
        return None
