"""Writes the text files that YOLO trains on (https://docs.ultralytics.com/datasets/detect/): a file for each photo."""

import json
from collections.abc import Iterator, Sequence

from detection.exports.names import class_lines
from detection.exports.registry import Member, exports
from detection.exports.selection import Example, Selection


@exports("yolo", "YOLO txt")
def yolo(selection: Selection) -> Iterator[Member]:
    """Write `labels/<name>.txt` beside `images/<name>.jpg`, `data.yaml` and `classes.txt`; class ids count from 0."""
    yield Member("data.yaml", _data_yaml(selection.classes))
    yield Member("classes.txt", class_lines(selection.classes))
    class_ids = {name: number for number, name in enumerate(selection.classes)}
    for example in selection.examples():
        yield Member(f"labels/{example.stem}.txt", _lines(example, class_ids))


def _data_yaml(classes: Sequence[str]) -> bytes:
    """Format data.yaml, without `path`, so that readers look for the photos beside the file.

    Names are in quotes: a JSON string is also YAML, and a quoted `no` is a word, not false.
    """
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(classes))
    return f"train: images\nval: images\nnc: {len(classes)}\nnames:\n{names}".encode()


def _lines(example: Example, class_ids: dict[str, int]) -> bytes:
    """Format the lines of a label file: class, centre x and y, width and height, in fractions of the photo."""
    photo = example.detection.photo
    lines = []
    for label in example.boxed:
        box = label.box
        centre_x, centre_y = (box.x + box.width / 2) / photo.width, (box.y + box.height / 2) / photo.height
        size = f"{box.width / photo.width:.8f} {box.height / photo.height:.8f}"
        lines.append(f"{class_ids[label.class_name]} {centre_x:.8f} {centre_y:.8f} {size}\n")
    return "".join(lines).encode()
