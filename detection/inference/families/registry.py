"""Registry of the families of networks."""

from detection.inference.families import declared, detr, gluoncv, mxnet_ssd, nanodet_plus, ultralytics, yolox, yunet
from detection.inference.families.base import Family

FAMILIES: dict[str, Family] = {
    "mxnet_ssd": mxnet_ssd.FAMILY,
    "nanodet_plus": nanodet_plus.FAMILY,
    "yolox": yolox.FAMILY,
    "detr": detr.FAMILY,
    "gluoncv": gluoncv.FAMILY,
    "ultralytics": ultralytics.FAMILY,
    "declared": declared.FAMILY,
    "yunet": yunet.FAMILY,
}
