"""Names of the classes that COCO and Pascal VOC share."""

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
    """Return one name for a class that COCO and Pascal VOC call differently: VOC's."""
    return COCO_TO_VOC.get(name, name)


def common_classes(classes: Collection[tuple[str, ...]]) -> frozenset[str]:
    """Return the classes that all of some models have, by their common names."""
    return frozenset.intersection(*(frozenset(map(common_name, names)) for names in classes))


def class_ids(names: tuple[str, ...]) -> dict[str, int]:
    """Map each name that a dataset may use to the model's class; the model's own names take precedence."""
    own = {name: index for index, name in enumerate(names)}
    others = {coco: own[voc] for coco, voc in COCO_TO_VOC.items() if voc in own}
    others |= {voc: own[coco] for coco, voc in COCO_TO_VOC.items() if coco in own}
    return others | own
