"""LibreYOLO: one package with networks of many projects, whose exports say in their metadata which one they are.

Source: preprocess/*.py, models/{ppyoloe,rtmdet}/utils.py and export/exporter.py of libreyolo 1.6.0. Its YOLOX is as
that of YOLOX itself.
"""

from collections.abc import Mapping
from typing import Any

from detection.inference.cards.draft import IMAGENET, LETTERBOX, UNIT, Draft
from detection.inference.cards.evidence import Evidence

_UPPER_LEFT = {"fit": "letterbox_top_left", "pad": 114}
_IMAGENET_BGR = {"colour": "bgr", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]}
_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "yolo9": {**_UPPER_LEFT, **UNIT},
    "yolonas": {**LETTERBOX, **UNIT},
    "rtmdet": {**_UPPER_LEFT, **_IMAGENET_BGR},
    "ppyoloe": {"fit": "stretch", **IMAGENET},
    "dfine": {"fit": "stretch", **UNIT},
    "deim": {"fit": "stretch", **UNIT},
}
_QUERIES = {"dfine", "deim"}
_BOX, _NMS = 4, 0.6


def is_of_libreyolo(evidence: Evidence) -> bool:
    """Recognise the networks of LibreYOLO that are described here."""
    metadata = evidence.signature.metadata
    return "libreyolo_version" in metadata and metadata.get("model_family") in _INPUTS


def libreyolo(evidence: Evidence) -> Draft:
    """Return what follows from the network that the metadata names. Raises ValueError."""
    metadata = evidence.signature.metadata
    task, name = metadata.get("task", "detect"), metadata["model_family"]
    if task != "detect":
        raise ValueError(f"it is a network for the task {task}, and only those for the task detect have plain boxes")
    given = dict(_INPUTS[name])
    if metadata.get("letterbox_pad") == "center" and name == "yolo9":
        given |= LETTERBOX
    said = f"its metadata says: {name} of LibreYOLO {metadata['libreyolo_version']}"
    if name in _QUERIES:
        return Draft("detr", {"logits": "pred_logits", "boxes": "pred_boxes"}, given, (said,))
    # Corners in pixels; YOLO-NAS calls its boxes pred_logits and its scores pred_boxes.
    outputs = list(evidence.outputs)
    if len(outputs) == 1:
        turned = evidence.outputs[outputs[0]][1] == _BOX + evidence.classes
        columns: dict[str, Any] = {"boxes": f"{outputs[0]}[0:4]", "scores": f"{outputs[0]}[4:]"}
        columns |= {"turned": True} if turned else {}
    else:
        columns = {"boxes": outputs[0], "scores": outputs[1]}
    return Draft("declared", {**columns, "nms": _NMS}, given, (said, "boxes there are corners in pixels"))
