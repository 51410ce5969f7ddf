"""Views below `/v1/`: the object detection of DeepStack, and what CodeProject.AI added to it."""

import time
from typing import Any

from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from detection import __version__
from detection.errors import RequestError
from detection.inference.types import FoundObject
from detection.predict.service import DetectionResult
from detection.protocols.photos import detect, share_of
from detection.protocols.view import ProtocolView
from detection.registry import listing


class DeepStackView(ProtocolView):
    """View with DeepStack's shape of errors."""

    parser_classes = (MultiPartParser, FormParser)

    @classmethod
    def error_body(cls, status: int, sentence: str) -> dict[str, Any]:
        """Return the body that says what failed."""
        return {"success": False, "error": sentence, "code": status, "predictions": []}


class _OpenView(DeepStackView):
    """View that clients call without a key, to see whether a server is there."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class PingView(_OpenView):
    """`GET /v1/status/ping`."""

    def get(self, _request: Request) -> Response:
        """Answer that the server is there."""
        return Response({"success": True, "code": 200, "message": "alive"})


class UpdateView(_OpenView):
    """`GET /v1/status/updateavailable`: never here, for an operator updates this server."""

    def get(self, _request: Request) -> Response:
        """Answer with this version."""
        numbers = (*(int(part) for part in __version__.split(".") if part.isdigit()), 0, 0, 0)
        version = dict(zip(("major", "minor", "patch"), numbers, strict=False))
        return Response(
            {
                "success": True,
                "code": 200,
                "updateAvailable": False,
                "message": "This is the latest version.",
                "version": version,
            }
        )


class DetectionView(DeepStackView):
    """`POST /v1/vision/detection` and `/v1/vision/custom/<model>`: a form with the file `image`."""

    def post(self, request: Request, model: str = "") -> Response:
        """Answer with the objects, most probable first: some clients stop at the first improbable one."""
        started = time.perf_counter()
        # The first file, whatever the name of its field: clients differ.
        name = "image" if "image" in request.FILES else next(iter(request.FILES), None)
        if name is None:
            raise RequestError("The form has no photo. Put the file in its field `image`.")
        file = request.FILES[name]
        threshold = share_of(request.POST.get("min_confidence"), "min_confidence")
        (answer,) = detect(request, [file.read()], model=model, threshold=threshold, name=file.name or "")
        return Response(_answer(answer, time.perf_counter() - started))


class CustomListView(DeepStackView):
    """`POST /v1/vision/custom/list`: the models that can be asked for."""

    def post(self, _request: Request) -> Response:
        """Answer with their names."""
        return Response({"success": True, "code": 200, "models": [row["name"] for row in listing.models()]})

    get = post


def _answer(answer: DetectionResult, seconds: float) -> dict[str, Any]:
    """Return the objects with both servers' names of the durations, in milliseconds."""
    network_ms = dict(answer.timings).get("inference", 0.0)
    names = ", ".join(dict.fromkeys(found.class_name for found in answer.objects))
    return {
        "success": True,
        "code": 200,
        "message": f"Found {names}" if names else "No objects found",
        "count": len(answer.objects),
        "predictions": [_prediction(found) for found in answer.objects],
        "duration": round(seconds * 1000),
        "inferenceMs": round(network_ms),
        "processMs": round(seconds * 1000),
    }


def _prediction(found: FoundObject) -> dict[str, Any]:
    box = found.box
    return {
        "label": found.class_name,
        "confidence": found.probability,
        "x_min": box.x,
        "y_min": box.y,
        "x_max": box.x + box.width,
        "y_max": box.y + box.height,
    }
