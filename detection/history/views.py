"""Pages of one detection. Each reads its request, asks a service or the database, and renders a template."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import caller_of
from detection.errors import RequestError
from detection.history import addresses, presentation, trash
from detection.history.addresses import filters_in, list_url, matching, place_of
from detection.history.selectors import visible_detections
from detection.models import Detection, calibration_of
from detection.web.api_docs.code_samples import entry_point_samples
from detection.web.forms import ThresholdForm, first_sentence
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error


@require_safe
def detection_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show one detection: picture, objects, JSON, and its origin; `?threshold=` changes the shown objects."""
    return _render_detection(request, _detection(request, uuid))


@require_POST
def delete_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete a detection, then show the list where it was, which offers to undo it."""
    detection = _detection(request, uuid)
    try:
        trash.remove(detection)
    except ANSWERED_ERRORS as error:
        return _render_detection(request, detection, error)
    filters = filters_in(request.GET)
    return HttpResponseSeeOther(list_url(filters, cursor=place_of(detection)))


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
    by_model = request.GET.get("answer") == "model"
    filters = filters_in(request.GET)
    listed = matching(filters, visible_detections(caller_of(request.user)), request)
    context = {
        **presentation.result_context(detection, threshold, page_url, by_model=by_model),
        **presentation.provenance_context(detection),
        "calibration": calibration_of(detection.model_name, detection.model_version),
        "undo_minutes": trash.UNDO_MINUTES,
        **presentation.viewer_context(detection, threshold, listed, by_model=by_model),
        "code_samples": entry_point_samples(request, presentation.request_options(detection, threshold)),
        "list_url": list_url(filters, cursor=place_of(detection)),
        "among": addresses.among(filters),
    }
    return render_with_error(request, "detection/history/detection.html", context, error)
