"""Views of a machine-learning backend of Label Studio: `/api/labelstudio/<model>/health`, `setup` and `predict`.

Source of the shapes: `label_studio_ml/api.py` of label-studio-ml-backend, `label_studio/ml/api_connector.py` of its
caller.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from detection.conf import LabelStudio, current
from detection.errors import RequestError
from detection.inference.types import FoundObject
from detection.predict.service import DetectionResult
from detection.protocols.labelstudio.label_config import Rectangles, parse_label_config
from detection.protocols.labelstudio.photos import fetch
from detection.protocols.photos import MAX_PHOTOS, detect
from detection.protocols.view import ProtocolView, json_object
from detection.serving import service as serving

_DEFAULT = "default"


class LabelStudioView(ProtocolView):
    """View that exists where LABEL_STUDIO_URL is set. The model `default` is the one that answers by default."""

    def server(self) -> LabelStudio:
        """Return the Label Studio that photos come from. Raises Http404."""
        found = current.config().label_studio
        if found is None:
            raise Http404
        return found


class HealthView(LabelStudioView):
    """`GET health`: Label Studio asks before it connects."""

    def get(self, _request: Request, model: str) -> Response:
        """Answer that the model is there."""
        self.server()
        return Response({"status": "UP", "model_class": _network_of(model).name})


class SetupView(LabelStudioView):
    """`POST setup`: a project begins to use this backend."""

    def post(self, request: Request, model: str) -> Response:
        """Answer with the version that predictions will have, after a look at the project's configuration."""
        self.server()
        schema = json_object(request).get("schema")
        if schema:
            parse_label_config(str(schema))
        return Response({"model_version": _network_of(model).full_name})


class TasksView(LabelStudioView):
    """`POST predict`: predictions of tasks, exactly one result for each."""

    def post(self, request: Request, model: str) -> Response:
        """Answer in the order of the tasks."""
        server, document = self.server(), json_object(request)
        rectangles = parse_label_config(str(document.get("label_config") or ""))
        most_bytes = current.config().max_body_bytes
        photos = [fetch(server, data.get(rectangles.data_key), most_bytes) for data in _data_of(document)]
        answers = detect(request, photos, model=_reference(model)) if photos else []
        return Response({"results": [_result(answer, rectangles) for answer in answers]})


class WebhookView(LabelStudioView):
    """`POST webhook`: Label Studio tells of annotations. Nothing is trained here."""

    def post(self, _request: Request, model: str) -> Response:
        """Answer that it was heard."""
        self.server()
        return Response({"status": "ok"})


def _reference(model: str) -> str:
    return "" if model == _DEFAULT else model


def _network_of(model: str) -> Any:
    return serving.ask(_reference(model)).detector.network


def _data_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the data of each task. Raises RequestError."""
    tasks = document.get("tasks")
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks
    ):
        raise RequestError("tasks has to be a list of tasks with their data.")
    if len(tasks) > MAX_PHOTOS:
        raise RequestError(f"A request has {MAX_PHOTOS} tasks at most, not {len(tasks)}.")
    return [task["data"] for task in tasks]


def _result(answer: DetectionResult, rectangles: Rectangles) -> dict[str, Any]:
    """Return the prediction of a task: boxes in percent; classes that the project does not have are left out."""
    regions = list(_regions(answer.objects, answer.size_wh, rectangles))
    score = min((region["score"] for region in regions), default=0.0)
    return {"model_version": answer.model, "score": score, "result": regions}


def _regions(
    objects: Iterable[FoundObject], size_wh: tuple[int, int], rectangles: Rectangles
) -> Iterable[dict[str, Any]]:
    width, height = size_wh
    for found in objects:
        label = rectangles.label_of(found.class_name)
        if label is not None:
            box = found.box
            yield {
                "id": uuid.uuid4().hex[:10],
                "from_name": rectangles.from_name,
                "to_name": rectangles.to_name,
                "type": "rectanglelabels",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "score": found.probability,
                "value": {
                    "x": 100 * box.x / width,
                    "y": 100 * box.y / height,
                    "width": 100 * box.width / width,
                    "height": 100 * box.height / height,
                    "rotation": 0,
                    "rectanglelabels": [label],
                },
            }
