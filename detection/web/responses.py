"""Responses to forms."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from detection.errors import ANSWERS, headers_for, respond_to
from detection.i18n.error_messages import in_language


class HttpResponseSeeOther(HttpResponseRedirect):
    """Redirect after a POST, which is followed with GET (RFC 9110, section 15.4.4)."""

    status_code = 303


ANSWERED_ERRORS = tuple(kind for kind, _ in ANSWERS)
"""The errors that a page shows with their message, their status and their headers."""


def render_with_error(
    request: HttpRequest, template: str, context: dict[str, Any], error: Exception | None
) -> HttpResponse:
    """Render a page with the message, the status and the headers of an error, if any."""
    status, sentence = (200, "") if error is None else respond_to(error, request.path)
    response = render(request, template, context | {"error": in_language(sentence)}, status=status)
    for name, value in headers_for(status, error).items():
        response[name] = value
    return response
