"""The table of errors: each kind has its status, its close code and its sentence, for every entrance."""

from typing import Any

import pytest
from django.core.exceptions import TooManyFilesSent
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from detection import errors
from detection.inference.errors import (
    CheckpointError,
    EngineError,
    ImageDecodeError,
    ImageTooLargeError,
    InferenceError,
    OverloadedError,
    UnsupportedOperatorError,
)
from detection.web.api_errors import api_exception_handler

NOT_FOUND = "There is nothing under this address: it was deleted, or the id is wrong."
FAILED = "The server failed on this request. The reason is in its log; try again or tell its operator."


@pytest.mark.parametrize(
    ("error", "status", "close_code"),
    [
        (ImageDecodeError("x"), 400, 1007),
        (ImageTooLargeError("x"), 413, 1009),
        (errors.BodyTooLargeError(1000), 413, 1009),
        (errors.InvalidContentError(), 400, 1007),
        (errors.RequestError("x"), 400, 1007),
        (errors.UnknownModelError("x", ()), 404, 1007),
        (errors.AmbiguousModelError("x@1", ("models/a", "models/b")), 409, 1007),
        (OverloadedError("x"), 503, 1013),
        (errors.DetectionTimeoutError("x"), 503, 1013),
        (errors.StorageUnavailableError("x"), 503, 1013),
        (errors.ModelUnavailableError("x"), 503, 1013),
        (CheckpointError("x"), 503, 1011),
        (UnsupportedOperatorError("x"), 503, 1011),
        (EngineError("x"), 503, 1011),
        (InferenceError("x"), 500, 1011),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_error_of_ours_has_a_status_and_a_close_code(error: Exception, status: int, close_code: int) -> None:
    assert errors.answer_to(error) == errors.Answer(status, errors.CloseCode(close_code))
    assert errors.describe(error) == (status, str(error))
    assert errors.headers_for(status) == ({"Retry-After": "1"} if status == 503 else {})


def test_other_error_is_not_described() -> None:
    assert errors.answer_to(ValueError("secret")) is None
    assert errors.describe(ValueError("secret")) is None


@pytest.mark.parametrize(
    "sentence",
    ["/srv/models/net has no int8 model.", "Set it to '/srv/x'.", "The file C:\\models\\net is damaged."],
)
def test_files_of_the_server_are_for_its_log_alone(sentence: str, caplog: pytest.LogCaptureFixture) -> None:
    assert errors.respond_to(CheckpointError(sentence), "/predict") == (503, errors.MODEL_FAILED)
    assert sentence in caplog.text


@pytest.mark.parametrize("sentence", ["http://host:8000/v2 does not answer.", "bf16/f16 is not there."])
def test_what_only_looks_like_a_file_is_told(sentence: str) -> None:
    assert errors.describe(EngineError(sentence)) == (503, sentence)


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (EngineError("broken"), True),
        (CheckpointError("broken"), True),
        (errors.StorageUnavailableError("broken"), True),
        (ValueError("broken"), True),
        (ImageDecodeError("broken"), False),
        (OverloadedError("broken"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_our_fault_is_logged_with_its_traceback(
    error: Exception, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    errors.respond_to(error, "/predict")
    assert [record.levelname for record in caplog.records] == (["ERROR"] if logged else [])
    assert all(record.exc_info for record in caplog.records)


class View:
    """As much of a view as the handler looks at."""

    allowed_methods = ("GET", "HEAD")


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (Http404(), 404, NOT_FOUND),
        (exceptions.NotFound(), 404, NOT_FOUND),
        (exceptions.NotFound("The file is gone."), 404, "The file is gone."),
        (exceptions.MethodNotAllowed("GET"), 405, "GET is not possible at this address. Use GET, HEAD."),
        (
            exceptions.ParseError("secret"),
            400,
            "The form cannot be read. Send one photo in its file field `image`, or the photo itself as the body.",
        ),
        (
            TooManyFilesSent(),
            400,
            "The form cannot be read. Send one photo in its file field `image`, or the photo itself as the body.",
        ),
        (exceptions.ValidationError({"source": ["Choose another."]}), 400, "source: Choose another."),
        (exceptions.ValidationError({"non_field_errors": ["Choose."]}), 400, "Choose."),
        (exceptions.ValidationError(["Choose."]), 400, "Choose."),
        (exceptions.Throttled(detail="Slower."), 429, "Slower."),
        (OperationalError("x"), 503, "The database does not answer. Try again later, or tell the server's operator."),
        (InterfaceError("x"), 503, "The database does not answer. Try again later, or tell the server's operator."),
        (ProgrammingError("secret"), 500, FAILED),
        (ZeroDivisionError("secret"), 500, FAILED),
        (OverloadedError("Wait."), 503, "Wait."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_of_the_api_is_a_sentence_in_json(error: Exception, status: int, sentence: str) -> None:
    context: dict[str, Any] = {"request": Request(APIRequestFactory().get("/api/model")), "view": View()}
    response = api_exception_handler(error, context)
    assert (response.status_code, response.data) == (status, {"error": sentence})
    assert response.headers.get("Retry-After") == ("1" if status == 503 else None)
    assert response.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)
