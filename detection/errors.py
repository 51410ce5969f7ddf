"""Table of all errors with their HTTP status, WebSocket close code and message."""

import logging
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

from detection.conf import Rate
from detection.inference.errors import (
    CheckpointError,
    DetectorClosedError,
    EngineError,
    ImageDecodeError,
    ImageTooLargeError,
    InferenceError,
    OverloadedError,
)
from detection.inference.messages import CodedError, Message, Sentence, gettext_noop

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1
NOT_FOUND = Message(
    "not_found", gettext_noop("There is nothing under this address: it was deleted, or the id is wrong.")
)()
FAILED = Message(
    "server_failed",
    gettext_noop("The server failed on this request. The reason is in its log; try again or tell its operator."),
)()
MODEL_FAILED = Message(
    "model_failed",
    gettext_noop(
        "The model cannot answer. The reason is in the server's log; ask for another one, or tell its operator."
    ),
)()


class RequestError(CodedError):
    """The request itself is wrong; the message says what to change."""

    default_code = "request"


class KeyReusedError(RequestError):
    """The idempotency key was sent before, with something else."""

    _message = Message(
        "key_reused",
        gettext_noop(
            "This Idempotency-Key was used for another step. Nothing was stored: send the step under a key of its own."
        ),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class InvalidContentError(RequestError):
    """The content type of the body is not accepted. The message is the 2019 service's."""

    def __init__(self) -> None:
        super().__init__(Sentence("Invalid content", "invalid_content"))


class BodyTooLargeError(RequestError):
    """The body has more bytes than MAX_BODY_BYTES."""

    _message = Message(
        "body_too_large",
        gettext_noop("The body is too large: at most %(limit)s bytes are accepted. Send a smaller photo."),
    )

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(self._message(limit=f"{max_body_bytes:,}"))


class JsonTooLargeError(BodyTooLargeError):
    """The JSON has more bytes than any list that is accepted."""

    def __init__(self, max_json_bytes: int) -> None:
        text = f"The JSON is too large: at most {max_json_bytes:,} bytes are accepted. Send it in parts."
        RequestError.__init__(self, Sentence(text, "json_too_large"))


class ThrottledError(RequestError):
    """The caller has sent too many requests.

    wait_s: seconds until the next one is taken; retry_after_s: the same in whole seconds.
    """

    _message = Message(
        "throttled",
        gettext_noop(
            "Too many requests: %(count)s in %(period)s seconds are taken from you. Send this one again in %(wait)s s."
        ),
    )

    def __init__(self, rate: Rate, wait_s: float) -> None:
        self.wait_s = wait_s
        self.retry_after_s = max(1, math.ceil(wait_s))
        said = self._message(count=f"{rate.count:,}", period=f"{rate.period_s:g}", wait=self.retry_after_s)
        super().__init__(said)


class MemoryBudgetError(RequestError):
    """The bodies of all callers together exceed BODY_BUDGET_BYTES; this one is valid."""

    _message = Message(
        "memory_full",
        gettext_noop("The server is busy: the photos on their way fill its memory. Send this one again in a moment."),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class UploadTimeoutError(RequestError):
    """The body takes longer than UPLOAD_TIMEOUT to come in."""

    _message = Message(
        "upload_timed_out",
        gettext_noop("The body did not arrive within %(seconds)s seconds. Send it again, or send a smaller photo."),
    )

    def __init__(self, timeout_s: float) -> None:
        super().__init__(self._message(seconds=f"{timeout_s:g}"))


class LoginNeededError(RequestError):
    """ACCESS=login, and it is not known who sends the request."""

    _message = Message(
        "login_needed", gettext_noop("Log in, or send a token of this server: `Authorization: Token ...`.")
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class BadTokenError(RequestError):
    """ACCESS=login, and the token is none of this server."""

    _message = Message(
        "bad_token",
        gettext_noop(
            "This token is not valid: it was deleted, or its user was. Ask the server's operator for another."
        ),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class MalformedRequestError(RequestError):
    """The bytes are no request of HTTP/1.1."""

    default_code = "malformed_request"

    def __init__(self) -> None:
        super().__init__("This is not a valid HTTP/1.1 request. Send it with the library of an HTTP client.")


class TargetTooLongError(RequestError):
    """The address in the request's first line is too long."""

    default_code = "target_too_long"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"The address is too long: at most {most_bytes:,} bytes are accepted. Send a shorter one.")


class HeadTooLargeError(RequestError):
    """The headers, or the trailers behind a body, are too many or too large."""

    default_code = "head_too_large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"The headers are too large: at most {most_bytes:,} bytes of them are accepted. Send fewer or shorter ones."
        )


class ConnectionShareError(RequestError):
    """The caller has as many requests answered at the same time as its share of MAX_CONNECTIONS allows."""

    _message = Message(
        "connections_full",
        gettext_noop(
            "The server is busy: it answers too many requests at the same time. Send this one again in a moment."
        ),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class ContentEncodingError(RequestError):
    """The body is compressed in transit, which does not help photos and hides their size."""

    _message = Message(
        "content_encoding",
        gettext_noop("A Content-Encoding is not accepted. Send the photo as it is, without this header."),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class ForeignSiteError(RequestError):
    """A browser sends the request for a page of another site."""

    _message = Message(
        "other_site",
        gettext_noop("The request comes from a page of another site. Send it from this site, or from a program."),
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class AccountClosedError(RequestError):
    """The account of the caller was deleted while the photo was on its way."""

    _message = Message(
        "account_closed", gettext_noop("Your account was closed. Nothing was stored. Ask the server's operator.")
    )

    def __init__(self) -> None:
        super().__init__(self._message())


class UnknownModelError(RequestError):
    """There is no model of this name."""

    _message = Message(
        "unknown_model",
        gettext_noop(
            "There is no model %(name)s. Use one of %(available)s, or leave `model` out for the one that answers by "
            "default."
        ),
    )
    _message_of_one = Message(
        "no_other_model",
        gettext_noop("There is no model %(name)s. Leave `model` out for the one that answers by default."),
    )

    def __init__(self, name: str, available: Collection[str]) -> None:
        if available:
            super().__init__(self._message(name=repr(name), available=", ".join(available)))
        else:
            super().__init__(self._message_of_one(name=repr(name)))


class AmbiguousModelError(CheckpointError):
    """NAME@VERSION is claimed by the cards of different models. folders: their names, without the server's paths."""

    _message = Message(
        "ambiguous_model",
        gettext_noop(
            "There are two models %(name)s, in %(folders)s. Ask for one by the name of its folder, or have the version "
            "in the card of one changed."
        ),
    )

    def __init__(self, name: str, folders: Collection[str]) -> None:
        super().__init__(self._message(name=name, folders=", ".join(folders)))


class UnknownServedModelError(UnknownModelError):
    """The same for callers of `/v2`, who cannot leave the model out. version: the requested one, if any."""

    def __init__(self, name: str, version: str | None) -> None:
        which = repr(name) if version is None else f"{name!r} in version {version!r}"
        text = f"There is no model {which}. GET /api/models lists those that there are."
        RequestError.__init__(self, Sentence(text, "unknown_model_of_oip"))


class StorageUnavailableError(CodedError):
    """The database or the photo store cannot be written now; nothing of the detection was kept."""

    default_code = "storage_unavailable"


class ModelUnavailableError(CodedError):
    """There is no model to answer."""

    default_code = "model_unavailable"


class ModelLoadError(ModelUnavailableError):
    """A requested model cannot be loaded. The reason is not for callers: it may name files of the server."""

    _message = Message(
        "model_not_loadable",
        gettext_noop(
            "The model %(name)s cannot be loaded. The reason is in the server's log; ask for another one, or tell its "
            "operator."
        ),
    )

    def __init__(self, name: str) -> None:
        super().__init__(self._message(name=name))


class DetectionTimeoutError(CodedError):
    """The detection took longer than REQUEST_TIMEOUT."""

    default_code = "detection_timeout"


class CloseCode(IntEnum):
    """WebSocket close codes (RFC 6455, section 7.4.1, and IANA's registry), by the names of both."""

    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to one class of errors: HTTP status and WebSocket close code."""

    status: int
    close_code: CloseCode


# The first matching class applies: the more special ones come first.
ANSWERS: tuple[tuple[type[CodedError], Answer], ...] = (
    (ImageTooLargeError, Answer(413, CloseCode.MESSAGE_TOO_BIG)),
    (ImageDecodeError, Answer(400, CloseCode.INVALID_DATA)),
    (BodyTooLargeError, Answer(413, CloseCode.MESSAGE_TOO_BIG)),
    (ThrottledError, Answer(429, CloseCode.TRY_AGAIN_LATER)),
    (MemoryBudgetError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (LoginNeededError, Answer(401, CloseCode.POLICY_VIOLATION)),
    (BadTokenError, Answer(401, CloseCode.POLICY_VIOLATION)),
    (ConnectionShareError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (TargetTooLongError, Answer(414, CloseCode.MESSAGE_TOO_BIG)),
    (HeadTooLargeError, Answer(431, CloseCode.MESSAGE_TOO_BIG)),
    (UploadTimeoutError, Answer(408, CloseCode.TRY_AGAIN_LATER)),
    (ContentEncodingError, Answer(415, CloseCode.INVALID_DATA)),
    (ForeignSiteError, Answer(403, CloseCode.POLICY_VIOLATION)),
    (AccountClosedError, Answer(401, CloseCode.POLICY_VIOLATION)),
    (KeyReusedError, Answer(422, CloseCode.INVALID_DATA)),
    (UnknownModelError, Answer(404, CloseCode.INVALID_DATA)),
    (AmbiguousModelError, Answer(409, CloseCode.INVALID_DATA)),
    (RequestError, Answer(400, CloseCode.INVALID_DATA)),
    (OverloadedError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (DetectionTimeoutError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (StorageUnavailableError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (ModelUnavailableError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (DetectorClosedError, Answer(503, CloseCode.TRY_AGAIN_LATER)),
    (CheckpointError, Answer(503, CloseCode.INTERNAL_ERROR)),
    (EngineError, Answer(503, CloseCode.INTERNAL_ERROR)),
    (InferenceError, Answer(500, CloseCode.INTERNAL_ERROR)),
)

_ABSOLUTE_PATH = re.compile(r"(?<![\w:/])/\w|\b[A-Za-z]:\\")
_LOGGED = (EngineError, CheckpointError, StorageUnavailableError)


def answer_to(error: Exception) -> Answer | None:
    """Return the row of the table for an error; None when it is not one of ours."""
    return next((answer for kind, answer in ANSWERS if isinstance(error, kind)), None)


def close_code_of(error: Exception) -> CloseCode:
    """Return the WebSocket close code of any error."""
    answer = answer_to(error)
    return CloseCode.INTERNAL_ERROR if answer is None else answer.close_code


def describe(error: Exception) -> tuple[int, Sentence] | None:
    """Return HTTP status and sentence for an error of the table; None for any other.

    Messages about files of the server are for its log and its commands; callers get another one.
    """
    answer = answer_to(error)
    if answer is None or not isinstance(error, CodedError):
        return None
    tells_a_path = isinstance(error, (CheckpointError, EngineError)) and _ABSOLUTE_PATH.search(str(error))
    return answer.status, MODEL_FAILED if tells_a_path else error.sentence


def error_body(sentence: str) -> dict[str, str]:
    """Return the body of every error response of the API."""
    return {"error": sentence}


def headers_for(status: int, error: Exception | None = None) -> dict[str, str]:
    """Return the headers of a status and its error."""
    if isinstance(error, ThrottledError):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, (LoginNeededError, BadTokenError)):
        return {"WWW-Authenticate": "Token"}
    return {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}  # noqa: PLR2004


def respond_to(error: Exception, path: str) -> tuple[int, Sentence]:
    """Return status and sentence for any error at the outermost edge; logs errors of the server."""
    described = describe(error)
    if described is None:
        logger.error("The request to %s failed.", path, exc_info=error)
        return 500, FAILED
    if isinstance(error, _LOGGED):
        logger.error("%s", error, exc_info=error)
    return described
