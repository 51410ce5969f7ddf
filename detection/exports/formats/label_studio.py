"""Label Studio's tasks with predictions (https://labelstud.io/guide/predictions), and its labeling configuration."""

import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

from detection.exports.labels import Label
from detection.exports.registry import Member, exports
from detection.exports.selection import Example, Selection

# Names of the tags in the labeling configuration that Label Studio proposes for boxes.
FROM_NAME, TO_NAME, DATA_KEY = "label", "image", "image"
# Where Label Studio serves files of its local storage: `photos` is a folder below LOCAL_FILES_DOCUMENT_ROOT.
_LOCAL_FILE = "/data/local-files/?d=images/"


@exports("labelstudio", "Label Studio JSON")
def label_studio(selection: Selection) -> Iterator[Member]:
    """Write one task a photo, with what was found as its prediction, boxes in percent; a label that a person drew has
    no score.
    """
    yield Member("tasks.json", _document(selection))
    yield Member("label_config.xml", label_config(selection.classes).encode())


def label_config(classes: tuple[str, ...]) -> str:
    """Return the labeling configuration for these classes."""
    labels = "".join(f"\n    <Label value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View>\n  <Image name="{TO_NAME}" value="${DATA_KEY}"/>\n'
        f'  <RectangleLabels name="{FROM_NAME}" toName="{TO_NAME}">{labels}\n  </RectangleLabels>\n</View>\n'
    )


def _document(selection: Selection) -> Iterator[bytes]:
    yield b"["
    for number, example in enumerate(selection.examples()):
        yield (b",\n" if number else b"\n") + json.dumps(_task(example), ensure_ascii=False).encode()
    yield b"\n]\n"


def _task(example: Example) -> dict[str, Any]:
    detection = example.detection
    name = detection.model_name + (f"@{detection.model_version}" if detection.model_version else "")
    regions = [_region(example, number, label) for number, label in enumerate(example.boxed)]
    scores = [region["score"] for region in regions if "score" in region]
    return {
        "data": {DATA_KEY: _LOCAL_FILE + example.file_name},
        "meta": {"detection": str(detection.uuid), "original_name": detection.photo.original_name},
        "predictions": [{"model_version": name, "score": min(scores, default=0.0), "result": regions}],
    }


def _region(example: Example, number: int, label: Label) -> dict[str, Any]:
    """Return a box, clipped to the photo, as percent of its size."""
    photo, box = example.detection.photo, label.box
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, photo.width), min(box.y + box.height, photo.height)
    return {
        "id": f"{example.detection.pk}_{number}",
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "rectanglelabels",
        "original_width": photo.width,
        "original_height": photo.height,
        "image_rotation": 0,
        "value": {
            "x": 100 * left / photo.width,
            "y": 100 * top / photo.height,
            "width": 100 * (right - left) / photo.width,
            "height": 100 * (bottom - top) / photo.height,
            "rotation": 0,
            "rectanglelabels": [label.class_name],
        },
        **({} if label.probability is None else {"score": label.probability}),
    }
