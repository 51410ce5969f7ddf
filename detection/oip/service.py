"""Runs inference requests: detects in files, like /api/predict; passes pixels to the network."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.conf import current
from detection.errors import RequestError, UnknownModelError, UnknownServedModelError
from detection.inference.detector import Detector
from detection.inference.network import Network
from detection.models import Detection
from detection.oip import answers
from detection.oip.messages import BYTES, UINT8, InferenceRequest, MessageError, Tensor
from detection.predict import many
from detection.predict.service import DetectionResult, Upload
from detection.serving import service as serving
from detection.web import callers
from detection.web.query import parse_threshold, parse_tiles

IMAGE, PIXELS = "image", "image_rgb"
MAX_IMAGES = 64
_NO_VERSION = "1"
_KNOWN_PARAMETERS = frozenset({"threshold", "store", "tiles", "binary_data_output"})
# Name, type, axes; -1 is free. The first axis is the number of images; the second the most objects of one of them.
_DETECTIONS = (
    ("count", "INT32", (-1,)),
    ("boxes", "INT32", (-1, -1, 4)),
    ("scores", "FP32", (-1, -1)),
    ("class_ids", "INT64", (-1, -1)),
    ("class_names", BYTES, (-1, -1)),
    ("detection_ids", BYTES, (-1,)),
)
Tensors = Mapping[str, NDArray[Any]]


def model_of(name: str, version: str | None) -> Detector:
    """Return a model by its name and version, loaded now if need be. Raises UnknownModelError."""
    try:
        if version == _NO_VERSION and (found := _without_version(name)) is not None:
            return found
        return serving.ask(name if version is None else f"{name}@{version}").detector
    except UnknownModelError as error:
        raise UnknownServedModelError(name, version) from error


def reference_of(detector: Detector, name: str, version: str | None) -> str:
    """Return the model reference for a request's photos: the name if it gave no version."""
    return f"{name}@{version}" if version is not None and detector.network.version else name


def _without_version(name: str) -> Detector | None:
    """Return the default model if it has this name and no card, and so no version of its own."""
    network = serving.resident_network(name)
    return serving.ask(name).detector if network is not None and not network.version else None


def version_of(network: Network) -> str:
    """Return the card's version; models without one have version "1"."""
    return network.version or _NO_VERSION


def metadata(detector: Detector) -> dict[str, Any]:
    """Describe inputs, of which a request has one, and outputs: those of files, then those of pixels."""
    network = detector.network
    width, height = network.size_wh
    inputs = ((IMAGE, BYTES, (-1,)), (PIXELS, UINT8, (-1, height, width, 3)))
    outputs = [(name, "FP32", (-1, *shape)) for name, shape in sorted(detector.output_shapes.items())]
    return {
        "name": network.name,
        "versions": [version_of(network)],
        "platform": f"detector_{detector.engine.name}",
        "inputs": [_described(*each) for each in inputs],
        "outputs": [_described(*each) for each in (*_DETECTIONS, *outputs)],
    }


def infer(detector: Detector, reference: str, request: InferenceRequest, owner_id: int | None) -> Tensors:
    """Return all outputs for the input of a request.

    Raises MessageError and RequestError, and the errors of `predict/many.py`.
    reference: of the model, as `reference_of` makes it.
    """
    unknown = sorted(set(request.parameters) - _KNOWN_PARAMETERS)
    if unknown:
        raise MessageError(
            f"The parameter {unknown[0]!r} is not known here. Use threshold, store or tiles, or leave it out."
        )
    if len(request.inputs) != 1 or request.inputs[0].name not in {IMAGE, PIXELS}:
        raise MessageError(f"Send one input: {IMAGE} (BYTES, files) or {PIXELS} (UINT8, the network's own input).")
    (tensor,) = request.inputs
    if tensor.name == IMAGE:
        uploads = _uploads(_photos_of(tensor), reference, request.parameters)
        return _detections(many.detect_all([replace(upload, owner_id=owner_id) for upload in uploads]))
    return many.run_network(detector, _pixels_of(tensor, detector.network))


def memory_for(detector: Detector, request: InferenceRequest) -> AbstractContextManager[None]:
    """Hold memory for the answer to a request: of pixels it may be large. Raises MessageError and OverloadedError."""
    width, height = detector.network.size_wh
    pixels = [each.pixels for each in request.inputs if each.pixels is not None]
    images = sum(len(each) for each in pixels if each.shape[1:] == (height, width, 3))
    shapes = {name: (images, *shape) for name, shape in detector.output_shapes.items()} if images else {}
    return answers.memory_for(request, shapes, callers.current(), current.config().request_timeout_s)


def _described(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def _photos_of(tensor: Tensor) -> tuple[bytes, ...]:
    if tensor.photos is None:
        raise MessageError(f"The input {IMAGE} has to be of type BYTES: files of photos.")
    _check_number(len(tensor.photos))
    return tensor.photos


def _pixels_of(tensor: Tensor, network: Network) -> NDArray[np.uint8]:
    width, height = network.size_wh
    if tensor.pixels is None or tensor.pixels.shape[1:] != (height, width, 3):
        raise MessageError(f"The input {PIXELS} has to be of type UINT8 and of the shape [N, {height}, {width}, 3].")
    _check_number(len(tensor.pixels))
    return tensor.pixels


def _check_number(images: int) -> None:
    most = min(MAX_IMAGES, current.config().queue_size)
    if not 1 <= images <= most:
        raise MessageError(f"A request has 1 to {most} images, not {images}.")


def _uploads(photos: Sequence[bytes], model: str, parameters: Mapping[str, Any]) -> list[Upload]:
    threshold, store = parameters.get("threshold"), parameters.get("store", True)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | str | None):
        raise RequestError("threshold has to be a number from 0 to 1; or leave it out.")
    if not isinstance(store, bool):
        raise RequestError("store has to be true or false; or leave it out.")
    tiles = parse_tiles({"tiles": str(parameters["tiles"])} if "tiles" in parameters else {})
    least = None if threshold is None else parse_threshold({"threshold": str(threshold)})
    return [
        Upload(
            photo,
            source=Detection.Source.API,
            threshold=least,
            store=store,
            model=model,
            tiles=tiles,
            quiet=len(photos) > 1,
        )
        for photo in photos
    ]


def _detections(answers: Sequence[DetectionResult]) -> Tensors:
    """Pad the detections to the image with the most objects: boxes (N, M, 4) x, y, width and height in pixels of each
    photo.
    """
    most = max(len(each.objects) for each in answers)
    shape = (len(answers), most)
    boxes, scores = np.zeros((*shape, 4), np.int32), np.zeros(shape, np.float32)
    class_ids, class_names = np.full(shape, -1, np.int64), np.full(shape, "", object)
    for image, each in enumerate(answers):
        for rank, found in enumerate(each.objects):
            box = found.box
            boxes[image, rank] = (box.x, box.y, box.width, box.height)
            scores[image, rank] = found.probability
            class_ids[image, rank] = found.class_id
            class_names[image, rank] = found.class_name
    return {
        "count": np.array([len(each.objects) for each in answers], np.int32),
        "boxes": boxes,
        "scores": scores,
        "class_ids": class_ids,
        "class_names": class_names,
        "detection_ids": np.array([str(each.detection_uuid or "") for each in answers], object),
    }
