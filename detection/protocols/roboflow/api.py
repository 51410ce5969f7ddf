"""Views of Roboflow's inference server, version 1 of its API.

Source of the shapes: `inference/core/entities/requests/inference.py` and `responses/inference.py`.
"""

import time
import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from detection import __version__
from detection.errors import RequestError
from detection.inference.types import FoundObject
from detection.predict.service import DetectionResult
from detection.protocols.photos import decode_photo, detect, share_of, text_of
from detection.protocols.view import ProtocolView, json_object
from detection.registry import listing
from detection.serving import service as serving

_UUID = str(uuid.uuid4())
_TASK = "object-detection"


class RoboflowView(ProtocolView):
    """View with Roboflow's shape of errors."""

    @classmethod
    def error_body(cls, _status: int, sentence: str) -> dict[str, Any]:
        """Return the body whose `message` the client shows."""
        return {"message": sentence}


class InfoView(RoboflowView):
    """`GET /info`: what this server is. Clients send no key here."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get(self, _request: Request) -> Response:
        """Answer with name, version and an id of this process."""
        return Response({"name": "detector-site", "version": __version__, "uuid": _UUID})


class RegistryView(RoboflowView):
    """`GET /model/registry`: the models that can be asked for."""

    def get(self, _request: Request) -> Response:
        """Answer with all models of /api/models."""
        return Response(_registry())


class AddModelView(RoboflowView):
    """`POST /model/add`: loads a model that is offered already; adding others is the operator's."""

    def post(self, request: Request) -> Response:
        """Answer with the registry."""
        serving.ask(_model_of(json_object(request)))
        return Response(_registry())


class ObjectDetectionView(RoboflowView):
    """`POST /infer/object_detection`: one image, or a list of them."""

    def post(self, request: Request) -> Response:
        """Answer with one object for one image, with a list for a list."""
        started = time.perf_counter()
        document = json_object(request)
        image = document.get("image")
        photos = [_photo_of(each) for each in (image if isinstance(image, list) else [image])]
        threshold = share_of(document.get("confidence"), "confidence")
        answers = detect(request, photos, model=_model_of(document), threshold=threshold)
        wanted, most = _classes_of(document), _most_of(document)
        rows = [_inferred(each, wanted, most, time.perf_counter() - started) for each in answers]
        return Response(rows if isinstance(image, list) else rows[0])


def _model_of(document: dict[str, Any]) -> str:
    found = text_of(document, "model_id")
    if not found:
        raise RequestError("model_id is missing. Set it to one of GET /model/registry.")
    return found


def _photo_of(image: Any) -> bytes:
    if not isinstance(image, dict) or image.get("type") != "base64":
        raise RequestError('image has to be {"type": "base64", "value": "..."}, or a list of those.')
    return decode_photo(image.get("value"))


def _classes_of(document: dict[str, Any]) -> frozenset[str] | None:
    """Return the wanted classes; None for all. Raises RequestError."""
    found = document.get("class_filter")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise RequestError("class_filter has to be a list of names of classes; or leave it out.")
    return frozenset(found)


def _most_of(document: dict[str, Any]) -> int | None:
    found = document.get("max_detections")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise RequestError("max_detections has to be a whole number above 0; or leave it out.")
    return found


def _registry() -> dict[str, Any]:
    return {
        "models": [
            {
                "model_id": row["name"],
                "task_type": _TASK,
                "batch_size": None,
                "input_height": row["input_height"],
                "input_width": row["input_width"],
            }
            for row in listing.models()
        ]
    }


def _inferred(answer: DetectionResult, wanted: frozenset[str] | None, most: int | None, seconds: float) -> Any:
    objects = [found for found in answer.objects if wanted is None or found.class_name in wanted]
    width, height = answer.size_wh
    return {
        "inference_id": str(answer.detection_uuid or ""),
        "time": seconds,
        "image": {"width": width, "height": height},
        "predictions": [_prediction(found) for found in objects[:most]],
    }


def _prediction(found: FoundObject) -> dict[str, Any]:
    """Return an object with the centre of its box, in pixels."""
    box = found.box
    return {
        "x": box.x + box.width / 2,
        "y": box.y + box.height / 2,
        "width": box.width,
        "height": box.height,
        "confidence": found.probability,
        "class": found.class_name,
        "class_id": found.class_id,
        "detection_id": str(uuid.uuid4()),
    }
