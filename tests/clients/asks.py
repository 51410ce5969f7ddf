"""Calls a client's own package, in its own environment, and prints what it gave: `asks.py CLIENT < JSON`.

The JSON says `url`, `key`, `photo` (a path), `model` and `threshold`. Printed is `{"found": ...}`, or
`{"exception": its classes, "text": its text}`.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

# Class, probability, left, top, right, bottom.
Rows = list[list[Any]]


def hugging_face(url: str, key: str, photo: str, model: str, threshold: float) -> Rows:
    from huggingface_hub import InferenceClient

    client = InferenceClient(model=f"{url}/api/hf/{model}", token=key or None)
    return [
        [found.label, found.score, found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax]
        for found in client.object_detection(photo, threshold=threshold)
    ]


def roboflow(url: str, key: str, photo: str, model: str, threshold: float) -> Rows:
    import supervision
    from inference_sdk import InferenceConfiguration, InferenceHTTPClient

    client = InferenceHTTPClient(api_url=url, api_key=key)
    client.configure(InferenceConfiguration(confidence_threshold=threshold))
    answer = client.infer([photo], model_id=model)
    answer = answer[0] if isinstance(answer, list) else answer
    found = supervision.Detections.from_inference(answer)
    names = found.data["class_name"].tolist()
    return [
        [name, float(score), *map(float, box)]
        for name, score, box in zip(names, found.confidence, found.xyxy, strict=True)
    ]


def deepstack(url: str, key: str, photo: str, model: str, threshold: float) -> Rows:
    from deepstack_sdk import Detection, ServerConfig

    client = Detection(ServerConfig(url, api_key=key), name=model)
    return [
        [found.label, found.confidence, found.x_min, found.y_min, found.x_max, found.y_max]
        for found in client.detectObject(photo, min_confidence=threshold)
    ]


def codeproject(url: str, key: str, photo: str, model: str, threshold: float) -> Rows:
    from codeprojectai.core import CodeProjectAIObject

    host, _, port = url.removeprefix("http://").partition(":")
    client = CodeProjectAIObject(ip=host, port=int(port), min_confidence=threshold, custom_model=model)
    return [
        [found["label"], found["confidence"], *(found[name] for name in ("x_min", "y_min", "x_max", "y_max"))]
        for found in client.detect(Path(photo).read_bytes())
    ]


def cvat(url: str, key: str, photo: str, *, model: str, threshold: float, function: str) -> Rows:
    """Load a function file as cvat-cli does, and call it for a photo."""
    from cvat_sdk.auto_annotation import DetectionFunctionSpec
    from PIL import Image

    os.environ.update({"DETECTOR_URL": url, "DETECTOR_TOKEN": key, "DETECTOR_MODEL": model})
    loaded = runpy.run_path(function)
    assert isinstance(loaded["spec"], DetectionFunctionSpec)
    names = {label.id: label.name for label in loaded["spec"].labels}
    context = type("Context", (), {"frame_name": "cat.jpg", "conf_threshold": threshold, "conv_mask_to_poly": False})
    return [[names[shape.label_id], *shape.points] for shape in loaded["detect"](context, Image.open(photo))]


def label_studio(config: str, predictions: Rows) -> Rows:
    """Return what Label Studio's own check finds wrong with each prediction."""
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface(config)
    return [interface.validate_prediction(each, return_errors=True) for each in predictions]


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    try:
        told = {"found": globals()[sys.argv[1]](**asked)}
    except Exception as error:
        told = {
            "exception": [kind.__name__ for kind in type(error).__mro__],
            "text": f"{error!r} {getattr(error, 'server_message', '')}",
        }
    print(json.dumps(told))
