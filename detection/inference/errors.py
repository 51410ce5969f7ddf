"""Errors of `detection.inference`.

Every message is a sentence that says what to do. The Django side maps these classes to HTTP statuses and
WebSocket close codes in one table (`detection/errors.py`); nothing else catches them.
"""


class InferenceError(Exception):
    """Base class of everything that `detection.inference` raises on purpose."""


class ImageDecodeError(InferenceError):
    """The bytes are not a readable photo."""


class ImageTooLargeError(InferenceError):
    """The photo has more pixels than the configured limit."""


class CheckpointError(InferenceError):
    """A checkpoint on disk is missing, damaged, or does not fit together."""


class UnsupportedOperatorError(CheckpointError):
    """The network uses operators or attributes without a converter; the message lists all of them."""


class EngineError(InferenceError):
    """An engine is missing, failed, or did not get the requested device."""


class EngineUnavailableError(EngineError):
    """A remote engine does not respond now, whatever the photo is; it may again later."""


class DetectorClosedError(InferenceError):
    """The detector is finishing its queue and accepts nothing new; its successor takes over."""


class OverloadedError(InferenceError):
    """The queue of photos is full; try again later."""
