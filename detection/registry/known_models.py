"""Catalogue of published models that `manage.py fetch_model` and the admin install: addresses, hashes, cards.

Hashes of files that are published without any are those that several independent projects pin. docs/models.md says how
times were measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detection.conf import BASE_DIR, PRODUCTION_MODEL_EDGE, PRODUCTION_MODEL_NAME, PRODUCTION_MODEL_PREFIX
from detection.inference.class_names import read_classes
from detection.registry.downloads import KnownFile

_COCO_CLASSES = BASE_DIR / "models" / "nanodet_plus_m" / "classes.txt"
_COCO = "COCO val2017, as published"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """Published model; `files` in the order in which they are installed, the one that completes it last.

    url: of the folder with the files. family, classes, input, decoding, threshold, accuracy: as in a model card;
    classes names a file, or is "coco" or a tuple of names. core_ms: processor time of the network for one photo.
    """

    name: str
    summary: str
    version: str = "1.0"
    licence: str
    url: str
    files: tuple[KnownFile, ...]
    family: str
    classes: str | tuple[str, ...] = "coco"
    input: Mapping[str, Any]
    decoding: Mapping[str, Any] = field(default_factory=dict)
    threshold: float = 0.5
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    core_ms: float | None = None

    @property
    def size_bytes(self) -> int:
        """Size of all its files on the disk."""
        return sum(file.size_bytes for file in self.files)

    @property
    def class_names(self) -> str | list[str]:
        """Return the lines of its card about classes. Raises CheckpointError where the embedded list is gone."""
        if self.classes == "coco":
            return list(read_classes(_COCO_CLASSES))
        return self.classes if isinstance(self.classes, str) else list(self.classes)


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"
_HUGGING_FACE = "https://huggingface.co/onnx-community"
_UNIT = {"edge": 640, "std": [255, 255, 255]}
_QUERIES = {"boxes": "pred_boxes"}

RESNET50_SSD = KnownModel(
    name=PRODUCTION_MODEL_NAME,
    summary="SSD on ResNet-50, 20 Pascal VOC classes, edge 512",
    licence="not stated where the files are published",
    url="https://s3.amazonaws.com/model-server/models/resnet50_ssd/",
    files=(
        KnownFile("synset.txt", 135, "f14861775969fd006b382e005f96dc811ef062ea4a37356efb70d7775e90f743"),
        KnownFile(
            f"{PRODUCTION_MODEL_PREFIX}-symbol.json",
            130_816,
            "964cba539ebeb2b4c239a643ce14037189b04e4d7dc565a5bdfdf6869f90a544",
        ),
        KnownFile(
            f"{PRODUCTION_MODEL_PREFIX}-0000.params",
            124_747_072,
            "852f460ab31a171568a093b17d153f70754e82096545115cdc3f3317b5b9ee5a",
        ),
    ),
    family="mxnet_ssd",
    classes="synset.txt",
    input={"edge": PRODUCTION_MODEL_EDGE},
    core_ms=480,
)

YOLOX_S = KnownModel(
    name="yolox_s",
    summary="YOLOX-S, 640 pixels, 80 COCO classes",
    licence="Apache-2.0",
    url=f"{_ZOO}/object_detection_yolox",
    files=(
        KnownFile(
            "object_detection_yolox_2022nov.onnx",
            35_858_002,
            "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
        ),
    ),
    family="yolox",
    # The file is yolox_s.onnx of the project's release 0.1.1rc0, which was trained on blue, green, red.
    input={"edge": 640, "fit": "letterbox_top_left", "pad": 114, "colour": "bgr"},
    decoding={"decoded": False},
    accuracy={"photos": _COCO, "coco_ap": 0.405, "coco_ap50": 0.593},
    core_ms=280,
)

NANODET_PLUS_M_1_5X = KnownModel(
    name="nanodet_plus_m_1_5x",
    summary="NanoDet-Plus-m-1.5x, 416 pixels, 80 COCO classes",
    licence="Apache-2.0",
    # The project's own release. OpenCV's zoo has files of that name with three levels and another grid, of NanoDet-m.
    url="https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1",
    # Its hash is not published anywhere: the first fetch pins it in the model's card.
    files=(KnownFile("nanodet-plus-m-1.5x_416.onnx", 9_893_045, ""),),
    family="nanodet_plus",
    input={
        "edge": 416,
        "colour": "bgr",
        "mean": [103.53, 116.28, 123.675],
        "std": [57.375, 57.12, 58.395],
    },
    decoding={"activation": "none"},
    accuracy={"photos": _COCO, "coco_ap": 0.341, "coco_ap50": 0.506},
    core_ms=40,
)

YUNET = KnownModel(
    name="yunet",
    summary="YuNet, faces, 640 pixels",
    version="2023.3",
    licence="MIT",
    url=f"{_ZOO}/face_detection_yunet",
    files=(
        KnownFile(
            "face_detection_yunet_2023mar.onnx",
            232_589,
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        ),
    ),
    family="yunet",
    classes=("face",),
    input={"edge": 640, "fit": "letterbox_top_left", "colour": "bgr"},
    accuracy={
        "photos": "WIDER FACE's validation set, as published",
        "easy_ap": 0.884,
        "medium_ap": 0.866,
        "hard_ap": 0.750,
    },
    core_ms=18,
)

DFINE_S = KnownModel(
    name="dfine_s",
    summary="D-FINE-S, 640 pixels, 80 COCO classes",
    licence="Apache-2.0",
    url=f"{_HUGGING_FACE}/dfine_s_coco-ONNX/resolve/a3cf03147a9b86c78475139115c8ac142577352d/onnx",
    files=(KnownFile("model.onnx", 41_535_197, "cd8a49a945feda6d28c6304ae8ae85c2759ba1d78a5a83a22c5ce8db82ef7238"),),
    family="detr",
    input=_UNIT,
    decoding=_QUERIES,
    accuracy={"photos": _COCO, "coco_ap": 0.485},
    core_ms=320,
)

RTDETR_V2_R18 = KnownModel(
    name="rtdetr_v2_r18",
    summary="RT-DETRv2 on ResNet-18, 640 pixels, 80 COCO classes",
    licence="Apache-2.0",
    url=f"{_HUGGING_FACE}/rtdetr_v2_r18vd-ONNX/resolve/936f90b6a476c6da4dfe053fc521af55285976ba/onnx",
    files=(KnownFile("model.onnx", 81_057_510, "583a236ac21c95a7fd94f284fc21485e42355bfef82c27011ba78fbc09ee87e2"),),
    family="detr",
    input=_UNIT,
    decoding=_QUERIES,
    accuracy={"photos": _COCO, "coco_ap": 0.481},
    core_ms=630,
)

KNOWN_MODELS = {
    model.name: model for model in (YOLOX_S, DFINE_S, RTDETR_V2_R18, NANODET_PLUS_M_1_5X, YUNET, RESNET50_SSD)
}
