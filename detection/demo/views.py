"""Addresses that load and remove the demo history, for staff, or for everybody where ACCESS=open."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from detection.accounts import throttling
from detection.accounts.access import caller_of
from detection.conf import current
from detection.demo import service
from detection.errors import respond_to
from detection.i18n.error_messages import in_language
from detection.review.service import reviewer_of
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther


def may_load(user: Any) -> bool:
    """Return whether somebody may load and remove the demo history."""
    return not current.config().needs_login or bool(user.is_authenticated and user.is_staff)


@require_POST
def load(request: HttpRequest) -> HttpResponse:
    """Load the demo history, then show the gallery."""
    if not may_load(request.user):
        raise PermissionDenied
    caller = caller_of(request.user)
    try:
        throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
        count = service.load(caller, reviewer_of(request.user))
    except ANSWERED_ERRORS as error:
        return _refused(request, error)
    text = ngettext(
        "The demo history is loaded: %(count)s photo of the last four weeks.",
        "The demo history is loaded: %(count)s photos of the last four weeks.",
        count,
    )
    messages.success(request, text % {"count": count})
    return HttpResponseSeeOther(reverse("history"))


@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    """Remove the demo history, then show the start page."""
    if not may_load(request.user):
        raise PermissionDenied
    try:
        service.remove()
    except ANSWERED_ERRORS as error:
        return _refused(request, error)
    messages.success(request, gettext("The demo history is removed. Everything else is as it was."))
    return HttpResponseSeeOther(reverse("home"))


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    _status, sentence = respond_to(error, request.path)
    messages.error(request, in_language(sentence))
    return HttpResponseSeeOther(reverse("history"))
