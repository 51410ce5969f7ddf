"""Exports of the package ultralytics: `YOLO(...).export(format="onnx")`, objects by `YOLO("net.onnx").predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from PIL import Image
from ultralytics import RTDETR, YOLO
from ultralytics.nn.tasks import DetectionModel, RTDETRDetectionModel

from tests.exporters.makers.base import EDGE, MAKERS, NAMES, Export, Maker, example, settle, spread

_FOUND = {"imgsz": EDGE, "conf": 0.01, "verbose": False}


def _maker(config: str, **options: Any) -> Callable[[Path], Export]:
    def make(folder: Path) -> Export:
        torch.manual_seed(0)
        is_rtdetr = config.startswith("rtdetr")
        of_project = RTDETR if is_rtdetr else YOLO
        network = (RTDETRDetectionModel if is_rtdetr else DetectionModel)(config, nc=len(NAMES), verbose=False)
        network.names = dict(enumerate(NAMES))
        network.task = "detect"
        _enliven(network)
        torch.save({"model": network, "train_args": {"task": "detect", "imgsz": EDGE}}, folder / "best.pt")
        path = Path(of_project(folder / "best.pt").export(format="onnx", imgsz=EDGE, **options))
        own = of_project(path) if is_rtdetr else YOLO(path, task="detect")

        def find(picture: Image.Image) -> NDArray[Any]:
            (result,) = own.predict(picture, **_FOUND)
            return result.boxes.data.cpu().numpy()

        return Export(path=path, find=find)

    return make


def _enliven(network: Any) -> None:
    head = network.model[-1]
    settle(network, lambda: network(example()))
    if hasattr(head, "decoder"):
        scores = [head.enc_score_head, *head.dec_score_head]
        boxes = [head.enc_bbox_head.layers[-1], *(each.layers[-1] for each in head.dec_bbox_head)]
        for layer in boxes:
            torch.nn.init.normal_(layer.weight, std=0.1)
    else:
        suffixes = ("", "one2one_")
        scores = [each[-1] for one in suffixes for each in getattr(head, f"{one}cv3", None) or []]
        boxes = [each[-1] for one in suffixes for each in getattr(head, f"{one}cv2", None) or []]
    # A distribution over distances has any logits; a distance itself, in strides, is positive.
    mean, deviation = (0.0, 3.0) if getattr(head, "reg_max", 1) > 1 else (2.0, 0.5)
    if hasattr(head, "decoder"):
        mean, deviation = 0.0, 0.5
    with torch.no_grad(), spread(scores, -2.0, 1.5), spread(boxes, mean, deviation):
        network.eval()(example())


_YOLO = 'YOLO("best.pt").export(format="onnx"'
for _name, _config, _options in (
    ("ultralytics-v5u", "yolov5n.yaml", {}),
    ("ultralytics-v8", "yolov8n.yaml", {}),
    ("ultralytics-v8-nms", "yolov8n.yaml", {"nms": True}),
    ("ultralytics-v9", "yolov9t.yaml", {}),
    ("ultralytics-v10", "yolov10n.yaml", {"nms": False}),
    ("ultralytics-11", "yolo11n.yaml", {}),
    ("ultralytics-12", "yolo12n.yaml", {}),
    ("ultralytics-26", "yolo26n.yaml", {"nms": False}),
    ("ultralytics-26-one-to-many", "yolo26n.yaml", {}),
    ("ultralytics-rtdetr", "rtdetr-l.yaml", {}),
):
    _more = "".join(f", {key}={value}" for key, value in _options.items())
    MAKERS[_name] = Maker(("ultralytics", "torch", "onnx"), f"{_YOLO}{_more})", _maker(_config, **_options))
