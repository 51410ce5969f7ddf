"""Exports of YOLOX (package pixeltable-yolox), of RF-DETR (rfdetr) and of YOLOv5 (yolov5)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.exporters.makers.base import EDGE, MAKERS, NAMES, Export, Maker, example, makes, settle, spread


def _yolox(*, decoded: bool) -> Callable[[Path], Export]:
    def make(folder: Path) -> Export:
        from yolox.config import YoloxConfig
        from yolox.data.data_augment import ValTransform
        from yolox.utils import postprocess

        torch.manual_seed(0)
        config = YoloxConfig.get_named_config("yolox-tiny")
        config.num_classes = len(NAMES)
        network = config.get_model().eval()
        head = network.head
        settle(network, lambda: network(255 * example().flip(1)))
        with (
            torch.no_grad(),
            spread(head.cls_preds, 0.0, 2.0),
            spread(head.obj_preds, 0.0, 2.0),
            spread(head.reg_preds, 0.5, 0.5),
        ):
            network(255 * example().flip(1))
        for layer in head.reg_preds:
            layer.bias.data[2:] += 1.0  # objects are some strides wide, 2.7 times the stride and more
        head.decode_in_inference = decoded
        path = folder / "yolox.onnx"
        torch.onnx.export(
            network,
            (255 * example().flip(1)[:1],),
            path,
            input_names=["images"],
            output_names=["output"],
            opset_version=17,
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def find(picture: Image.Image) -> NDArray[Any]:
            image_bgr = np.asarray(picture)[:, :, ::-1]
            feed, _ = ValTransform(legacy=False)(image_bgr, None, (EDGE, EDGE))
            (cells,) = session.run(None, {"images": feed[None].astype(np.float32)})
            answer = torch.from_numpy(cells.copy())
            if not decoded:
                answer = head.decode_outputs(answer, answer.type())
            (found,) = postprocess(answer, len(NAMES), conf_thre=0.01, nms_thre=0.45)
            ratio = min(EDGE / picture.height, EDGE / picture.width)
            boxes = np.clip(found[:, :4].numpy() / ratio, 0, [picture.width, picture.height] * 2)
            return np.column_stack([boxes, found[:, 4] * found[:, 5], found[:, 6]])

        return Export(path=path, find=find)

    return make


for _name, _decoded, _call in (
    ("yolox", False, "tools/export_onnx.py"),
    ("yolox-decoded", True, "tools/export_onnx.py --decode_in_inference"),
):
    MAKERS[_name] = Maker(("pixeltable-yolox", "torch", "onnx"), _call, _yolox(decoded=_decoded))


@makes("rfdetr", "rfdetr", "torch", "onnx", call="RFDETRNano(...).export()")
def _rfdetr(folder: Path) -> Export:
    from rfdetr import RFDETRNano

    torch.manual_seed(0)
    edge = 128
    own = RFDETRNano(pretrain_weights=None, num_classes=len(NAMES), resolution=edge, num_queries=60, device="cpu")
    network = own.model.model
    scores = [
        each for each in network.modules() if isinstance(each, torch.nn.Linear) and each.out_features == len(NAMES) + 1
    ]
    boxes = [network.bbox_embed.layers[-1]]
    torch.nn.init.normal_(boxes[0].weight, std=0.1)
    pixels = (example(edge) - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    network.eval()
    with torch.no_grad(), spread(scores, -1.0, 1.5), spread(boxes, 0.5, 0.8):
        network(pixels)
    own.export(output_dir=str(folder))
    path = next(folder.rglob("*.onnx"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def find(picture: Image.Image) -> NDArray[Any]:
        from torchvision.transforms import functional

        feed = functional.normalize(
            functional.resize(functional.to_tensor(picture), [edge, edge]), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        )
        answer = session.run(None, {session.get_inputs()[0].name: feed[None].numpy()})
        named = dict(zip([each.name for each in session.get_outputs()], map(torch.from_numpy, answer), strict=True))
        (found,) = own.model.postprocess(
            {"pred_logits": named["labels"], "pred_boxes": named["dets"]},
            target_sizes=torch.tensor([(picture.height, picture.width)]),
        )
        keep = found["labels"] < len(NAMES)
        return np.column_stack([found["boxes"][keep], found["scores"][keep], found["labels"][keep]])

    return Export(path=path, find=find, size_wh=(edge, edge))


@makes("yolov5", "yolov5", "torch", "onnx", call="python export.py --include onnx")
def _yolov5(folder: Path) -> Export:
    return _of_v5_head(folder, "yolov5", "yolov5n.yaml")


def _of_v5_head(folder: Path, package: str, config: str) -> Export:
    import importlib

    yolo = importlib.import_module(f"{package}.models.yolo")
    general = importlib.import_module(f"{package}.utils.general")
    letterbox = importlib.import_module(f"{package}.utils.augmentations").letterbox
    torch.manual_seed(0)
    network = yolo.Model(str(Path(yolo.__file__).parent / config), nc=len(NAMES)).eval()
    network.names = dict(enumerate(NAMES))
    settle(network, lambda: network(example()))
    with torch.no_grad(), spread(network.model[-1].m, 0.0, 0.8):
        network(example())
    # What export_onnx of its export.py does; that module imports a package that no longer has what it wants.
    path = folder / "best.onnx"
    network.model[-1].export = True
    torch.onnx.export(
        network,
        (example()[:1],),
        path,
        input_names=["images"],
        output_names=["output0"],
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"stride": "32", "names": str(network.names)})
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def find(picture: Image.Image) -> NDArray[Any]:
        padded = letterbox(np.asarray(picture), (EDGE, EDGE), auto=False)[0]
        feed = padded.transpose(2, 0, 1)[None].astype(np.float32) / 255
        cells = session.run(None, {"images": feed})[0]
        (found,) = general.non_max_suppression(torch.from_numpy(cells.copy()), 0.01, 0.45, max_det=300)
        found[:, :4] = general.scale_boxes((EDGE, EDGE), found[:, :4], (picture.height, picture.width))
        return found.numpy()

    return Export(path=path, find=find)
