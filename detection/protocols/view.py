"""Base of the views of other servers' protocols: their JSON in, their shape of errors out."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.errors import RequestError, error_body
from detection.web.api_errors import api_exception_handler
from detection.web.json_body import read_json


# Described by the projects whose clients call them, not in this server's own description.
@extend_schema(exclude=True)
class ProtocolView(APIView):
    """View that answers errors in the shape and with the status that its clients understand.

    statuses: this server's status -> the client's, where it knows another one for the same reason.
    """

    statuses: ClassVar[Mapping[int, int]] = {}

    @classmethod
    def error_body(cls, _status: int, sentence: str) -> dict[str, Any]:
        """Return the body of an error."""
        return error_body(sentence)

    @classmethod
    def shaped(cls, status: int, sentence: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of an error, as its clients understand it."""
        status = cls.statuses.get(status, status)
        return status, cls.error_body(status, sentence)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """Return the handler of DRF's views."""
        return self._answer_error

    def _answer_error(self, error: Exception, context: dict[str, Any]) -> Response:
        response = api_exception_handler(error, context)
        response.status_code, response.data = self.shaped(response.status_code, str(response.data["error"]))
        return response


def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a body that may hold photos in base64. Raises RequestError."""
    document = read_json(request.body, holds_files=True)
    if not isinstance(document, dict):
        raise RequestError("The body has to be a JSON object.")
    return document
