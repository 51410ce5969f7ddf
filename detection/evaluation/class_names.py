"""COCO's and Pascal VOC's names of the same classes."""

from collections.abc import Collection

COCO_TO_VOC = {
    "airplane": "aeroplane",
    "couch": "sofa",
    "dining table": "diningtable",
    "motorcycle": "motorbike",
    "potted plant": "pottedplant",
    "tv": "tvmonitor",
}

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def common_name(name: str) -> str:
    """One name for a class that COCO and Pascal VOC call differently: VOC's."""
    return COCO_TO_VOC.get(name, name)


def common_classes(classes: Collection[tuple[str, ...]]) -> frozenset[str]:
    """The classes that each of some models knows, by their common names."""
    return frozenset.intersection(*(frozenset(map(common_name, names)) for names in classes))


def class_ids(names: tuple[str, ...]) -> dict[str, int]:
    """The model's class for each name that a dataset may use for it; the model's own names come first."""
    own = {name: index for index, name in enumerate(names)}
    others = {coco: own[voc] for coco, voc in COCO_TO_VOC.items() if voc in own}
    others |= {voc: own[coco] for coco, voc in COCO_TO_VOC.items() if coco in own}
    return others | own
