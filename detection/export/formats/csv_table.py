"""A table for spreadsheets (RFC 4180): one row for each object, and one for a photo without any."""

import csv
from collections.abc import Iterator
from typing import Any

from detection.export.labels import Label
from detection.export.registry import Member, SingleFile, exports
from detection.export.selection import Example, Selection

COLUMNS = (
    "image_id",
    "detection",
    "created_at",
    "source",
    "file_name",
    "original_name",
    "image_width",
    "image_height",
    "model_name",
    "threshold",
    "class",
    "probability",
    "x",
    "y",
    "width",
    "height",
)
# https://owasp.org/www-community/attacks/CSV_Injection, with the wide forms that East Asian spreadsheets take too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@exports("csv", "CSV", single=SingleFile("csv", "text/csv; charset=utf-8"))
def csv_table(selection: Selection) -> Iterator[Member]:
    """Boxes in pixels of the upright photo."""
    yield Member("detections.csv", _table(selection))


def _table(selection: Selection) -> Iterator[bytes]:
    # `writerow` returns what `write` does.
    line = csv.writer(_Lines()).writerow
    yield line(COLUMNS)
    for example in selection.examples():
        for label in example.labels or (None,):
            yield line(_row(example, label))


class _Lines:
    def write(self, text: str) -> bytes:
        return text.encode()


def _row(example: Example, label: Label | None) -> tuple[Any, ...]:
    detection, photo = example.detection, example.detection.photo
    box = None if label is None else label.box
    return (
        detection.pk,
        detection.uuid,
        detection.created_at.isoformat(),
        detection.source,
        _harmless(example.file_name),
        _harmless(photo.original_name),
        photo.width,
        photo.height,
        _harmless(detection.model_name),
        detection.threshold,
        "" if label is None else _harmless(label.class_name),
        "" if label is None or label.probability is None else label.probability,
        *(("", "", "", "") if box is None else (box.x, box.y, box.width, box.height)),
    )


def _harmless(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it, and is text again."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
