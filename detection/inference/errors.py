"""What can go wrong between a photo and its detections.

Every message is a sentence that tells the reader what to do. The Django side maps these classes to HTTP statuses and
WebSocket close codes in one table (`detection/errors.py`); nothing else catches them.
"""


class InferenceError(Exception):
    """Base class of everything that `detection.inference` raises on purpose."""


class ImageDecodeError(InferenceError):
    """The bytes are not a photo that can be read."""


class ImageTooLargeError(InferenceError):
    """The photo has more pixels than the configured limit."""


class CheckpointError(InferenceError):
    """A checkpoint on disk is missing, damaged, or does not fit together."""


class UnsupportedOperatorError(CheckpointError):
    """The network uses operators or attributes that no converter knows; the message lists all of them."""


class EngineError(InferenceError):
    """An engine is missing, failed, or did not get the device that was asked for."""


class EngineUnavailableError(EngineError):
    """An engine on another machine does not answer now, whatever the photo is; it may again later."""


class DetectorClosedError(InferenceError):
    """The detector finishes what it has and takes nothing new: another one answers in its place."""


class OverloadedError(InferenceError):
    """The queue of photos is full; try again later."""
