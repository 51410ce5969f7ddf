"""Pages of the history. Each reads its request, asks a service or the database, and renders a template."""

from operator import itemgetter
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import caller_of, limits
from detection.errors import RequestError
from detection.history import counters, presentation, trash
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor, HistoryPage, page_of
from detection.history.selectors import visible_detections
from detection.i18n.class_titles import class_title
from detection.models import Detection
from detection.web.forms import ThresholdForm, first_sentence
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error

FILTER_LABELS = {
    "class": gettext_lazy("Object"),
    "reviewed": gettext_lazy("Review"),
    "date_from": gettext_lazy("From"),
    "date_to": gettext_lazy("To"),
}


@require_safe
def detection_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show one detection: picture, objects, JSON, and its origin; `?threshold=` changes the shown objects."""
    return _render_detection(request, _detection(request, uuid))


@require_POST
def delete_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete a detection, then show the history, where it can be undone."""
    detection = _detection(request, uuid)
    try:
        trash.remove(detection)
    except ANSWERED_ERRORS as error:
        return _render_detection(request, detection, error)
    return HttpResponseSeeOther(reverse("history"))


@require_POST
def restore_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Undo a deletion, then show the detection."""
    removal = get_object_or_404(trash.of(caller_of(request.user)), detection__uuid=uuid)
    try:
        trash.restore(removal)
    except ANSWERED_ERRORS as error:
        return _render_history(request, error=error)
    messages.success(request, gettext("The detection is back."))
    return HttpResponseSeeOther(removal.detection.get_absolute_url())


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """Show thumbnails of past detections, newest first, by class and date, in pages of keyset cursors."""
    detections = presentation.with_reported_objects(visible_detections(caller_of(request.user)))
    filters = DetectionFilter(request.GET, detections, request=request)
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


def _detection(request: HttpRequest, uuid: UUID) -> Detection:
    return get_object_or_404(visible_detections(caller_of(request.user)).select_related("photo"), uuid=uuid)


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
        **presentation.viewer_context(detection, threshold, visible_detections(caller_of(request.user))),
    }
    return render_with_error(request, "detection/history/detection.html", context, error)


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
        "zone": request.GET.get("zone", ""),
        "removed": trash.of(caller_of(request.user))[: trash.SHOWN_COUNT],
        "undo_minutes": trash.UNDO_MINUTES,
        "newer_url": shown.newer and _history_url(request.GET, shown.newer),
        "older_url": shown.older and _history_url(request.GET, shown.older),
    }
    return render_with_error(request, "detection/history/history.html", context, error)


def _known_classes(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the classes of all reported objects, including those of former models, each with its title."""
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
