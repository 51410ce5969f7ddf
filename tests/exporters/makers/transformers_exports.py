"""Exports of Hugging Face's detectors, named as optimum names them; objects by the image processor of each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from tests.exporters.makers.base import EDGE, MAKERS, NAMES, Export, Maker, settle, spread
from tests.exporters.recording import photos

_RESNET = {"embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1], "layer_type": "basic"}
_OF_DETR = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_queries": 60,
}
_OF_RTDETR = {
    "d_model": 64,
    "encoder_hidden_dim": 64,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "decoder_in_channels": [64, 64, 64],
    "num_queries": 100,
}


class _Named(torch.nn.Module):
    """The network with the two outputs that an export of a detector has."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> Any:
        found = self.network(pixel_values=pixel_values)
        return found.logits, found.pred_boxes


def _maker(model: str, processor: str, options: Callable[[], dict[str, Any]]) -> Callable[[Path], Export]:
    def make(folder: Path) -> Export:
        torch.manual_seed(1)
        network_class = getattr(transformers, f"{model}ForObjectDetection")
        labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: key for key, name in enumerate(NAMES)}}
        config = network_class.config_class(**options(), **labels)
        network = network_class(config).eval()
        own = getattr(transformers, processor)(size={"height": EDGE, "width": EDGE})
        pixels = own(images=photos((EDGE, EDGE)), return_tensors="pt")["pixel_values"]
        _enliven(network, pixels, len(NAMES))
        path = folder / "model.onnx"
        torch.onnx.export(
            _Named(network),
            (pixels[:1],),
            path,
            input_names=["pixel_values"],
            output_names=["logits", "pred_boxes"],
            opset_version=18,
            dynamo=model == "DeformableDetr",  # its reference points are of 64 bits otherwise, which no engine samples
        )
        network.config.save_pretrained(folder)
        own.save_pretrained(folder)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def find(picture: Image.Image) -> NDArray[Any]:
            feed = own(images=picture, return_tensors="np")["pixel_values"]
            logits, boxes = map(torch.from_numpy, session.run(None, {"pixel_values": feed}))
            answer = transformers.models.detr.modeling_detr.DetrObjectDetectionOutput(logits=logits, pred_boxes=boxes)
            (found,) = own.post_process_object_detection(
                answer, threshold=0.01, target_sizes=[(picture.height, picture.width)]
            )
            return np.column_stack([found["boxes"], found["scores"], found["labels"]])

        beside = {name: _short(folder / name) for name in ("config.json", "preprocessor_config.json")}
        return Export(path=path, find=find, beside=beside)

    return make


def _short(path: Path) -> str:
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))


def _enliven(network: Any, pixels: torch.Tensor, classes: int) -> None:
    linear = {name: each for name, each in network.named_modules() if isinstance(each, torch.nn.Linear)}
    boxes = [each for name, each in linear.items() if each.out_features == 4 and "attn" not in name]
    scores = [each for each in linear.values() if each.out_features in {classes, classes + 1}]
    for name, weights in network.named_parameters():
        if "query" in name and "embed" in name:
            weights.data.mul_(5)
    for layer in (*boxes, *scores):
        torch.nn.init.normal_(layer.weight, std=0.1)
    settle(network, lambda: network(pixel_values=pixels))
    with torch.no_grad(), spread(set(scores), -1.0, 1.5), spread(set(boxes), 0.5, 0.8):
        network(pixel_values=pixels)
        if not any("enc_score" in name for name in linear):
            for layer in boxes:
                layer.bias[2:] -= 0.8 if "DabDetr" in type(network).__name__ else 1.5  # widths and heights
        for layer in scores:
            layer.bias[classes:] += 5.0  # nothing, which is at nearly all places


def _resnet() -> dict[str, Any]:
    return {**_OF_DETR, "backbone_config": transformers.ResNetConfig(**_RESNET, out_features=["stage4"])}


def _resnet_of_three() -> dict[str, Any]:
    stages = ["stage2", "stage3", "stage4"]
    return {**_resnet(), "backbone_config": transformers.ResNetConfig(**_RESNET, out_features=stages)}


def _rtdetr() -> dict[str, Any]:
    backbone = transformers.RTDetrResNetConfig(**_RESNET, out_features=["stage2", "stage3", "stage4"])
    return {**_OF_RTDETR, "backbone_config": backbone, "encoder_in_channels": [32, 64, 128]}


def _yolos() -> dict[str, Any]:
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return {**sizes, "image_size": [EDGE, EDGE], "num_detection_tokens": 60}


for _name, _model, _processor, _options in (
    ("transformers-detr", "Detr", "DetrImageProcessor", _resnet),
    ("transformers-conditional-detr", "ConditionalDetr", "ConditionalDetrImageProcessor", _resnet),
    ("transformers-deformable-detr", "DeformableDetr", "DeformableDetrImageProcessor", _resnet_of_three),
    ("transformers-dab-detr", "DabDetr", "ConditionalDetrImageProcessor", _resnet),
    ("transformers-table", "TableTransformer", "DetrImageProcessor", _resnet),
    ("transformers-rtdetr", "RTDetr", "RTDetrImageProcessor", _rtdetr),
    ("transformers-rtdetr-v2", "RTDetrV2", "RTDetrImageProcessor", _rtdetr),
    ("transformers-d-fine", "DFine", "RTDetrImageProcessor", _rtdetr),
    ("transformers-yolos", "Yolos", "YolosImageProcessor", _yolos),
):
    MAKERS[_name] = Maker(
        ("transformers", "torch", "onnx"),
        "optimum-cli export onnx (its names; by torch.onnx.export)",
        _maker(_model, _processor, _options),
    )
