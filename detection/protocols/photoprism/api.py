"""`POST /api/v1/vision/labels`: the vision API of PhotoPrism.

Source of the shapes: `internal/ai/vision/api_request.go` and `api_response.go`.
"""

from collections.abc import Iterable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from detection.errors import RequestError
from detection.predict.service import DetectionResult
from detection.protocols.photos import decode_photo, detect, text_of
from detection.protocols.view import ProtocolView, json_object

_DATA = "data:"


class LabelsView(ProtocolView):
    """`{"id", "model", "images": ["data:image/jpeg;base64,..."]}` in, one label a class out."""

    # PhotoPrism waits and repeats for 429 alone.
    statuses = {503: 429}

    @classmethod
    def error_body(cls, status: int, sentence: str) -> dict[str, Any]:
        """Return the body that PhotoPrism logs."""
        return {"code": status, "error": sentence, "result": {}}

    def post(self, request: Request) -> Response:
        """Answer with the labels of all images together: they are views of one photo."""
        document = json_object(request)
        answers = detect(request, _images_of(document), model=text_of(document, "model"))
        name, _, version = answers[0].model.partition("@")
        return Response(
            {
                "id": text_of(document, "id"),
                "code": 200,
                "model": {"name": name, "version": version},
                "result": {"labels": _labels(answers)},
            }
        )


def _images_of(document: dict[str, Any]) -> list[bytes]:
    images = document.get("images")
    if not isinstance(images, list) or not all(isinstance(each, str) and each.startswith(_DATA) for each in images):
        raise RequestError("images has to be a list of data: addresses. Set PhotoPrism's file scheme to `data`.")
    return [decode_photo(each) for each in images]


def _labels(answers: Iterable[DetectionResult]) -> list[dict[str, Any]]:
    """Return a label for each class, most probable first. topicality: the share of the photo that its boxes take."""
    found: dict[str, dict[str, Any]] = {}
    for answer in answers:
        width, height = answer.size_wh
        areas: dict[str, float] = {}
        for each in answer.objects:
            row = found.setdefault(each.class_name, {"name": each.class_name, "source": "image", "confidence": 0.0})
            row["confidence"] = max(row["confidence"], each.probability)
            area = each.box.width * each.box.height / (width * height)
            areas[each.class_name] = areas.get(each.class_name, 0.0) + area
        for name, area in areas.items():
            found[name]["topicality"] = max(found[name].get("topicality", 0.0), min(1.0, round(area, 4)))
    return sorted(found.values(), key=lambda row: -row["confidence"])
