"""Addresses of blind votes: the page, its pairs, and what people vote."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from detection.accounts import throttling
from detection.accounts.access import caller_of
from detection.compare import votes
from detection.compare.sets import asked_window
from detection.errors import RequestError, ThrottledError, headers_for, respond_to
from detection.history.pagination import BadCursorError
from detection.i18n.error_messages import in_language
from detection.review.service import reviewer_of
from detection.web.json_body import read_json
from detection.web.responses import ANSWERED_ERRORS, render_with_error


@ensure_csrf_cookie
@require_safe
def vote_page(request: HttpRequest) -> HttpResponse:
    """Show pairs of two models' answers without their names, those that differ; the parameters are `sets.compare`'s."""
    back = f"{reverse('compare')}?{request.GET.urlencode()}"
    try:
        tokens = votes.tokens_of(asked_window(request).pairs, reviewer_of(request.user))
    except ThrottledError as error:
        return render_with_error(request, "detection/compare/vote.html", {"back_url": back}, error)
    except (RequestError, BadCursorError) as error:
        return render_with_error(request, "detection/compare/vote.html", {"back_url": back}, RequestError(str(error)))
    return render_with_error(request, "detection/compare/vote.html", {"tokens": tokens, "back_url": back}, None)


@require_safe
def vote_pair(request: HttpRequest) -> JsonResponse:
    """Return the pair of a token for the script."""
    try:
        return JsonResponse(votes.blind_body(request.GET.get("token", ""), caller_of(request.user)))
    except RequestError as error:
        return JsonResponse({"error": str(error)}, status=400)


@require_POST
def cast(request: HttpRequest) -> JsonResponse:
    """Record a vote: {"token", "choice"}."""
    caller = caller_of(request.user)
    try:
        throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
        body = read_json(request.body)
        given = body if isinstance(body, dict) else {}
        token, choice = str(given.get("token", "")), str(given.get("choice", ""))
        votes.record(token, choice, caller, reviewer_of(request.user))
    except ANSWERED_ERRORS as error:
        status, sentence = respond_to(error, request.path)
        headers = headers_for(status, error)
        return JsonResponse({"error": in_language(sentence)}, status=status, headers=headers)
    return JsonResponse({}, status=201)
