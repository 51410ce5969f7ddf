"""Pages that detect: the start page and live detection."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from detection.accounts import throttling
from detection.accounts.access import caller_of
from detection.conf import current
from detection.errors import ModelUnavailableError, RequestError
from detection.history import presentation
from detection.history.selectors import visible_detections
from detection.inference.detector import KEPT_PROBABILITY
from detection.models import Detection
from detection.predict import service as predict_service
from detection.predict.sample_photos import SAMPLES, sample_named
from detection.registry import catalogue, listing
from detection.serving import service as serving
from detection.web.api_docs.code_samples import entry_point_samples
from detection.web.forms import TILES_TEXTS, PhotoForm, first_sentence
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error

RECENT_COUNT = 6


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Show the start page; a POST is the upload of a browser without scripts."""
    if request.method != "POST":
        return _render_home(request)
    if "sample" in request.POST:
        return _detect_sample(request, request.POST["sample"])
    form = PhotoForm(request.POST, request.FILES)
    if not form.is_valid():
        return _render_home(request, RequestError(first_sentence(form)))
    upload = form.cleaned_data["image"]
    return _detect(request, upload.read(), upload.name, form.cleaned_data["model"], form.cleaned_data["tiles"])


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Show the visitor's camera, with boxes that follow over `/ws/live`."""
    threshold = catalogue.default_threshold()
    context = {
        "threshold": f"{threshold:g}",
        "threshold_percent": f"{threshold * 100:g}",
        "lowest_threshold": f"{min(KEPT_PROBABILITY, threshold):g}",
        "models": listing.choices(),
    }
    return render_with_error(request, "detection/predict/live.html", context, None)


def _detect_sample(request: HttpRequest, name: str) -> HttpResponse:
    try:
        path = sample_named(name).path
    except RequestError as error:
        return _render_home(request, error)
    return _detect(request, path.read_bytes(), path.name)


def _detect(request: HttpRequest, data: bytes, name: str, model: str = "", tiles: str = "") -> HttpResponse:
    caller = caller_of(request.user)
    try:
        throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
        answer = predict_service.detect(
            predict_service.Upload(
                data, Detection.Source.PAGE, original_name=name, owner_id=caller.user_id, model=model, tiles=tiles
            )
        )
    except ANSWERED_ERRORS as error:
        return _render_home(request, error)
    return HttpResponseSeeOther(reverse("detection-page", args=[answer.detection_uuid]))


def _render_home(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    max_body_bytes = current.config().max_body_bytes
    recent = presentation.with_reported_objects(visible_detections(caller_of(request.user)))[:RECENT_COUNT]
    context = {
        "max_body_bytes": max_body_bytes,
        "max_megabytes": f"{max_body_bytes / 1e6:g}",
        "model": _model_info(),
        "models": listing.choices(),
        "chosen_model": request.POST.get("model", ""),
        "tiles": TILES_TEXTS.items(),
        "chosen_tiles": request.POST.get("tiles", ""),
        "code_samples": entry_point_samples(request),
        "recent": presentation.cards(recent),
        "samples": SAMPLES,
    }
    return render_with_error(request, "detection/predict/home.html", context, error)


def _model_info() -> dict[str, Any] | None:
    try:
        return serving.model_info()
    except ModelUnavailableError:
        return None
