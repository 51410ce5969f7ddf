"""`POST /api/hf/<model>`: the object detection of Hugging Face's inference API.

Source of the shapes: `ObjectDetectionInput` and `ObjectDetectionOutputElement` of huggingface_hub.
"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from detection.errors import RequestError
from detection.inference.types import FoundObject
from detection.predict.request import require_photo
from detection.protocols.photos import decode_photo, detect, share_of
from detection.protocols.view import ProtocolView, json_object


class ObjectDetectionView(ProtocolView):
    """The body is the photo itself, or `{"inputs": base64, "parameters": {"threshold": 0.3}}`."""

    def post(self, request: Request, model: str) -> Response:
        """Answer with a list, most probable first."""
        photo, threshold = _photo_of(request)
        if threshold is None:
            threshold = share_of(request.query_params.get("threshold"), "threshold")
        (answer,) = detect(request, [photo], model=model, threshold=threshold)
        return Response([_element(found) for found in answer.objects])


def _photo_of(request: Request) -> tuple[bytes, float | None]:
    """Return the photo, and the threshold that the JSON gives. Raises RequestError."""
    # The Python client sends JSON only with parameters; with none, whatever type it guesses from the file's name.
    if request.body.lstrip()[:1] != b"{":
        require_photo(request.content_type or "", request.body)
        return request.body, None
    document = json_object(request)
    parameters = document.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RequestError('parameters has to be an object, such as {"threshold": 0.3}; or leave it out.')
    return decode_photo(document.get("inputs")), share_of(parameters.get("threshold"), "threshold")


def _element(found: FoundObject) -> dict[str, Any]:
    box = found.box
    corners = {"xmin": box.x, "ymin": box.y, "xmax": box.x + box.width, "ymax": box.y + box.height}
    return {"label": found.class_name, "score": found.probability, "box": corners}
