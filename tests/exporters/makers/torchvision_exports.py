"""Exports of torchvision's detectors by `torch.onnx.export`; their post-processing is part of the export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.models import detection
from torchvision.transforms.functional import pil_to_tensor

from tests.exporters.makers.base import EDGE, MAKERS, NAMES, Export, Maker, example, settle, spread

# torchvision's class 0 is the background.
_OPTIONS = {"weights": None, "weights_backbone": None, "num_classes": 1 + len(NAMES)}


def _maker(build: str, edge: int, **options: Any) -> Callable[[Path], Export]:
    def make(folder: Path) -> Export:
        torch.manual_seed(0)
        network = getattr(detection, build)(**_OPTIONS, **options).eval()
        # Its frozen normalisations have no statistics of their own; a random network keeps its scale without them.
        _enliven(network, edge)
        path = folder / "model.onnx"
        torch.onnx.export(
            network,
            (example(edge)[:1],),
            path,
            input_names=["input"],
            output_names=["boxes", "labels", "scores"] if "rcnn" in build else ["boxes", "scores", "labels"],
            opset_version=17,
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def find(picture: Image.Image) -> NDArray[Any]:
            feed = pil_to_tensor(picture.resize((edge, edge), Image.Resampling.BILINEAR))[None].numpy() / np.float32(
                255
            )
            answer = dict(
                zip([each.name for each in session.get_outputs()], session.run(None, {"input": feed}), strict=True)
            )
            boxes = answer["boxes"] * np.float32([picture.width / edge, picture.height / edge] * 2)
            return np.column_stack([boxes, answer["scores"], answer["labels"] - 1])

        return Export(path=path, find=find, size_wh=(edge, edge))

    return make


def _enliven(network: Any, edge: int) -> None:
    scores, boxes = [], []
    for name, layer in network.named_modules():
        is_last = isinstance(layer, torch.nn.Conv2d | torch.nn.Linear) and layer.bias is not None
        if is_last and ("cls_score" in name or "cls_logits" in name or "classification_head.module_list" in name):
            scores.append(layer)
        if is_last and ("bbox_pred" in name or "bbox_reg" in name or "regression_head.module_list" in name):
            boxes.append(layer)
    settle(network, lambda: network(list(example(edge))))
    with torch.no_grad(), spread(scores, -1.0, 1.5), spread(boxes, 0.0, 0.4):
        network(list(example(edge)))
        if "rcnn" not in type(network).__name__.lower() and "ssd" not in type(network).__name__.lower():
            # A class of its own by a sigmoid, number 0, is the background's, and no training raises it.
            for layer in scores:
                layer.bias[:: 1 + len(NAMES)] = -20


for _name, _build, _edge, _more in (
    ("torchvision-faster-rcnn", "fasterrcnn_mobilenet_v3_large_320_fpn", EDGE, {"min_size": EDGE, "max_size": EDGE}),
    ("torchvision-retinanet", "retinanet_resnet50_fpn_v2", EDGE, {"min_size": EDGE, "max_size": EDGE}),
    ("torchvision-fcos", "fcos_resnet50_fpn", EDGE, {"min_size": EDGE, "max_size": EDGE}),
    ("torchvision-ssd300", "ssd300_vgg16", 300, {}),
    ("torchvision-ssdlite", "ssdlite320_mobilenet_v3_large", 320, {}),
):
    MAKERS[_name] = Maker(
        ("torchvision", "torch", "onnx"), f"torch.onnx.export({_build}(...))", _maker(_build, _edge, **_more)
    )
