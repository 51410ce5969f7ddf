"""Error responses of the REST API: those of the project's table, of Django and of DRF, as `{"error": sentence}`."""

import logging
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from detection.errors import NOT_FOUND, error_body, headers_for, respond_to
from detection.inference.messages import Message, gettext_noop

logger = logging.getLogger(__name__)

_NO_DATABASE = Message(
    "database_unavailable",
    gettext_noop("The database does not answer. Try again later, or tell the server's operator."),
)()
_BAD_FORM = "The form cannot be read. Send one photo in its file field `image`, or the photo itself as the body."


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Answer every error of the API with `{"error": sentence}` (DRF's exception handler)."""
    # Its views import what the settings name, which need this module.
    from rest_framework.views import set_rollback

    set_rollback()
    status, sentence = _describe_framework_error(error) or respond_to(error, context["request"].path)
    headers = headers_for(status, error)
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if isinstance(error, exceptions.MethodNotAllowed):
        allowed = ", ".join(context["view"].allowed_methods)
        headers["Allow"] = allowed
        sentence = f"{context['request'].method} is not possible at this address. Use {allowed}."
    return Response(error_body(sentence), status=status, headers=headers, content_type="application/json")


def _describe_framework_error(error: Exception) -> tuple[int, str] | None:
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.error("The database failed.", exc_info=error)
        return 503, _NO_DATABASE
    if isinstance(error, Http404) or (
        isinstance(error, exceptions.NotFound) and error.detail == exceptions.NotFound.default_detail
    ):
        return 404, NOT_FOUND
    if isinstance(error, (exceptions.ParseError, SuspiciousOperation)):
        return 400, _BAD_FORM
    if isinstance(error, exceptions.ValidationError):
        return 400, _first_sentence(error.detail)
    if isinstance(error, exceptions.APIException):
        return error.status_code, str(error.detail)
    return None


def _first_sentence(detail: Any) -> str:
    """Join DRF's nested validation messages to one sentence that names the parameter."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        sentence = _first_sentence(inner)
        return sentence if name == "non_field_errors" else f"{name}: {sentence}"
    return _first_sentence(detail[0]) if isinstance(detail, list) else str(detail)
