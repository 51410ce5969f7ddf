"""The truth of annotated photos, and what a review has to change to get there."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAME_IOU = 0.5
# Pascal VOC's names, which the annotations use, by those of COCO, which the default model uses.
_COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the photo, with its class."""

    class_name: str
    x: float
    y: float
    width: float
    height: float

    def iou(self, other: "Box") -> float:
        """Return intersection over union."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(0.0, width) * max(0.0, height)
        return shared / (self.width * self.height + other.width * other.height - shared or 1.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Corrections of a photo: keys of objects to reject and to relabel, weaker ones to accept, boxes to draw."""

    rejected: list[str] = field(default_factory=list)
    relabelled: dict[str, str] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    missed: list[Box] = field(default_factory=list)


def annotated(folder: Path) -> dict[str, list[Box]]:
    """Return the boxes of each photo below `images/`, by its file name."""
    document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    names = {one["id"]: _COCO_NAMES.get(one["name"], one["name"]) for one in document["categories"]}
    files = {one["id"]: Path(one["file_name"]).name for one in document["images"]}
    boxes: dict[str, list[Box]] = {name: [] for name in files.values()}
    for one in document["annotations"]:
        boxes[files[one["image_id"]]].append(Box(names[one["category_id"]], *one["bbox"]))
    return boxes


def box_of(judged: Mapping[str, Any]) -> Box:
    """Return the box of an object of the API of reviews."""
    return Box(judged["objectClass"], **judged["box"])


def pairs(boxes: Mapping[str, Box], truth: Sequence[Box], *, of_class: bool = True) -> dict[str, int]:
    """Pair boxes, by key, with places of the truth, the best overlaps first. of_class: only where the classes agree."""
    overlaps = sorted(
        (
            (box.iou(true), key, place)
            for key, box in boxes.items()
            for place, true in enumerate(truth)
            if not of_class or box.class_name == true.class_name
        ),
        reverse=True,
    )
    found: dict[str, int] = {}
    for overlap, key, place in overlaps:
        if overlap >= SAME_IOU and key not in found and place not in found.values():
            found[key] = place
    return found


def plan_for(review: Mapping[str, Any], truth: Sequence[Box], ghosts: Iterable[str] = ()) -> Plan:
    """Return the shortest way from a fresh review to the truth. ghosts: keys of the weaker objects that are offered."""
    objects = {one["object"]: box_of(one) for one in review["objects"]}
    right = pairs(objects, truth)
    others = {key: box for key, box in objects.items() if key not in right}
    left = [place for place in range(len(truth)) if place not in right.values()]
    renamed = pairs(others, [truth[place] for place in left], of_class=False)
    relabelled = {key: truth[left[place]].class_name for key, place in renamed.items()}
    missed = [truth[place] for number, place in enumerate(left) if number not in renamed.values()]
    offered = {one["object"]: box_of(one) for one in review.get("weaker", []) if one["object"] in set(ghosts)}
    accepted = pairs(offered, missed)
    drawn = [box for place, box in enumerate(missed) if place not in accepted.values()]
    rejected = [key for key in others if key not in renamed]
    # Boxes of one class after the other: the page gives a drawn box the class used last.
    return Plan(rejected, relabelled, list(accepted), sorted(drawn, key=lambda box: box.class_name))


def differences(exported: Sequence[Box], truth: Sequence[Box]) -> int:
    """Count what an export has too much or too little, at IoU 0.5 and by class."""
    paired = len(pairs({str(number): box for number, box in enumerate(exported)}, truth))
    return len(exported) + len(truth) - 2 * paired
