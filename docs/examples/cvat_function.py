"""Function of `cvat-cli task auto-annotate --function-file` that asks this server.

Environment: DETECTOR_URL (http://127.0.0.1:8080 if unset), DETECTOR_TOKEN where ACCESS=login, DETECTOR_MODEL for
another model than the default.
"""

import io
import json
import os
import urllib.parse
import urllib.request

import cvat_sdk.auto_annotation as cvataa
import PIL.Image
from cvat_sdk import models

_URL = os.environ.get("DETECTOR_URL", "http://127.0.0.1:8080")
_TOKEN, _MODEL = os.environ.get("DETECTOR_TOKEN", ""), os.environ.get("DETECTOR_MODEL", "")


def _ask(path: str, data: bytes | None = None) -> dict:
    headers = {"Content-Type": "image/png", **({"Authorization": f"Bearer {_TOKEN}"} if _TOKEN else {})}
    with urllib.request.urlopen(urllib.request.Request(f"{_URL}{path}", data, headers)) as answer:
        return json.load(answer)


_models = _ask("/api/models")["models"]
_model = next(model for model in _models if _MODEL in {"", model["name"]})
spec = cvataa.DetectionFunctionSpec(
    labels=[cvataa.label_spec(name, number) for number, name in enumerate(_model["classes"])]
)


def detect(context: cvataa.DetectionFunctionContext, image: PIL.Image.Image) -> list[models.LabeledShapeRequest]:
    """Return the boxes of one frame of a task."""
    png = io.BytesIO()
    image.convert("RGB").save(png, "PNG", compress_level=1)
    query = {"store": "0", "model": _model["name"]}
    if context.conf_threshold is not None:
        query["threshold"] = str(context.conf_threshold)
    found = _ask(f"/predict?{urllib.parse.urlencode(query)}", png.getvalue())["prediction"]
    return [
        cvataa.rectangle(
            _model["classes"].index(one["objectClass"]),
            [one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]],
        )
        for one in found
    ]
