"""Pages that compare the answers of models."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from detection.accounts import throttling
from detection.accounts.access import caller_of
from detection.bulk import redetect
from detection.compare.pairs import Pair, find_pair, model_of, pair_body
from detection.errors import RequestError, respond_to
from detection.history.selectors import visible_detections
from detection.i18n.error_messages import in_language
from detection.models import Detection
from detection.registry import catalogue
from detection.serving import service as serving
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error


@require_POST
def ask(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask another model about a detection's photo, keep its answer, and show both side by side."""
    caller = caller_of(request.user)
    detection = get_object_or_404(visible_detections(caller), uuid=uuid)
    try:
        throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
        answer = redetect.detect_photo_of(detection, serving.ask(_model(request.POST.get("model", ""))))
    except ANSWERED_ERRORS as error:
        _status, sentence = respond_to(error, request.path)
        messages.error(request, in_language(sentence))
        return HttpResponseSeeOther(detection.get_absolute_url())
    if answer.pk == detection.pk:
        messages.info(request, gettext("This is the answer of %(model)s already.") % {"model": model_of(answer)})
        return HttpResponseSeeOther(detection.get_absolute_url())
    return HttpResponseSeeOther(reverse("compare-pair", args=[detection.uuid, answer.uuid]))


def _model(name: str) -> str:
    if not name:
        raise RequestError(gettext("Choose a model first."))
    catalogue.require_model(name)
    return name


@require_safe
def pair_page(request: HttpRequest, a: UUID, b: UUID) -> HttpResponse:
    """Show two answers for one photo, with a divider between them."""
    try:
        pair = _pair(request, a, b)
    except RequestError as error:
        return render_with_error(request, "detection/compare/pair.html", {}, error)
    context = {"pair": pair, "model_a": model_of(pair.a), "model_b": model_of(pair.b), "body": pair_body(pair)}
    return render(request, "detection/compare/pair.html", context)


@require_safe
def pair_answers(request: HttpRequest, a: UUID, b: UUID) -> JsonResponse:
    """Return two answers for one photo as JSON for the script."""
    try:
        return JsonResponse(pair_body(_pair(request, a, b)))
    except RequestError as error:
        return JsonResponse({"error": str(error)}, status=400)


def _pair(request: HttpRequest, a: UUID, b: UUID) -> Pair:
    try:
        return find_pair(a, b, caller_of(request.user))
    except Detection.DoesNotExist as error:
        raise Http404 from error
