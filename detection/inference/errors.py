"""Errors of `detection.inference`.

Every message is a sentence that says what to do. The Django side maps these classes to HTTP statuses and
WebSocket close codes in one table (`detection/errors.py`); nothing else catches them.
"""

from detection.inference.messages import CodedError


class InferenceError(CodedError):
    """Base class of everything that `detection.inference` raises on purpose."""

    default_code = "inference"


class ImageDecodeError(InferenceError):
    """The bytes are not a readable photo."""

    default_code = "image_decode"


class ImageTooLargeError(InferenceError):
    """The photo has more pixels than the configured limit."""

    default_code = "image_too_large"


class CheckpointError(InferenceError):
    """A checkpoint on disk is missing, damaged, or does not fit together."""

    default_code = "checkpoint"


class UnsupportedOperatorError(CheckpointError):
    """The network uses operators or attributes without a converter; the message lists all of them."""

    default_code = "unsupported_operator"


class EngineError(InferenceError):
    """An engine is missing, failed, or did not get the requested device."""

    default_code = "engine"


class EngineUnavailableError(EngineError):
    """A remote engine does not respond now, whatever the photo is; it may again later."""

    default_code = "engine_unavailable"


class DetectorClosedError(InferenceError):
    """The detector is finishing its queue and accepts nothing new; its successor takes over."""

    default_code = "detector_closed"


class OverloadedError(InferenceError):
    """The queue of photos is full; try again later."""

    default_code = "overload"
