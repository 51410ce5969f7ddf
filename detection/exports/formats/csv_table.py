"""Writes a table for spreadsheets (RFC 4180): one row for each object, and one for a photo without any."""

from collections.abc import Iterator
from typing import Any

from detection.exports.labels import Label
from detection.exports.registry import Member, SingleFile, exports
from detection.exports.selection import Example, Selection
from detection.inference.videos.names import time_of
from detection.web.csv_cells import BYTE_ORDER_MARK, csv_line, escape_formula

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
    # New columns go last: some readers count columns.
    "model_version",
    "tiles",
    "time_s",
)


@exports("csv", "CSV", single=SingleFile("csv", "text/csv; charset=utf-8"))
def csv_table(selection: Selection) -> Iterator[Member]:
    """Write a CSV table, with boxes in pixels of the upright photo."""
    yield Member("detections.csv", _table(selection))


def _table(selection: Selection) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK
    yield csv_line(COLUMNS)
    for example in selection.examples():
        for label in example.labels or (None,):
            yield csv_line(_row(example, label))


def _row(example: Example, label: Label | None) -> tuple[Any, ...]:
    detection, photo = example.detection, example.detection.photo
    box = None if label is None else label.box
    return (
        detection.pk,
        detection.uuid,
        detection.created_at.isoformat(),
        detection.source,
        escape_formula(example.file_name),
        escape_formula(photo.original_name),
        photo.width,
        photo.height,
        escape_formula(detection.model_name),
        detection.threshold,
        "" if label is None else escape_formula(label.class_name),
        "" if label is None or label.probability is None else label.probability,
        *(("", "", "", "") if box is None else (box.x, box.y, box.width, box.height)),
        escape_formula(detection.model_version),
        detection.tile_grid,
        "" if (time_s := time_of(photo.original_name)) is None else time_s,
    )
