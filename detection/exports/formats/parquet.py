"""Apache Parquet (https://parquet.apache.org/docs/): one row a photo, and one an object, in files of a bounded size.

For DuckDB, pandas, Spark and warehouses, which read all files of a folder as one table. Needs pyarrow
(requirements-parquet.txt).
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from detection.exports.registry import Member, exports
from detection.exports.selection import Example, Selection
from detection.inference.videos.names import time_of

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a file: some ten megabytes, which readers take in parallel.
PHOTOS_IN_FILE = 100_000
OBJECTS_IN_FILE = 500_000
Row = dict[str, Any]


@exports("parquet", "Apache Parquet", is_folder=True, needs="pyarrow")
def parquet(selection: Selection) -> Iterator[Member]:
    """Write `photos/part-00000.parquet` and `objects/part-00000.parquet`, and so on; `image_id` and `file` join them.

    Boxes are in pixels of the upright photo; a probability of null marks an object that a person drew.
    `time_s`: seconds into the video, of frames.
    """
    photo_schema, object_schema = _schemas()
    photos = _Table("photos", photo_schema, PHOTOS_IN_FILE)
    objects = _Table("objects", object_schema, OBJECTS_IN_FILE)
    for example in selection.examples():
        yield from photos.add([_photo(example)])
        yield from objects.add(list(_objects(example)))
    yield from photos.rest()
    yield from objects.rest()


def _schemas() -> "tuple[pa.Schema, pa.Schema]":
    import pyarrow as pa

    names = pa.dictionary(pa.int32(), pa.string())
    photo = {
        "image_id": pa.int64(),
        "detection": pa.string(),
        "file": pa.string(),
        "original_name": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "created_at": pa.timestamp("us", tz="UTC"),
        "source": names,
        "model_name": names,
        "model_version": names,
        "model_sha256": names,
        "threshold": pa.float64(),
        "objects": pa.int32(),
        "time_s": pa.float64(),
    }
    found = {
        "image_id": pa.int64(),
        "file": pa.string(),
        "class": names,
        "probability": pa.float64(),
        "x": pa.int32(),
        "y": pa.int32(),
        "width": pa.int32(),
        "height": pa.int32(),
    }
    return pa.schema(photo.items()), pa.schema(found.items())


class _Table:
    """Rows of one table, which become a file when there are enough. At least one file is made, so that readers find a
    table where there are no rows.
    """

    def __init__(self, name: str, schema: "pa.Schema", rows_in_file: int) -> None:
        self._name, self._schema, self._rows_in_file = name, schema, rows_in_file
        self._rows: list[Row] = []
        self._files = 0

    def add(self, rows: list[Row]) -> Iterator[Member]:
        """Add rows; yield a file where there are enough."""
        self._rows += rows
        if len(self._rows) >= self._rows_in_file:
            yield self._file()

    def rest(self) -> Iterator[Member]:
        """Yield the last file."""
        if self._rows or not self._files:
            yield self._file()

    def _file(self) -> Member:
        import pyarrow as pa
        from pyarrow import parquet as pq

        written = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self._rows, self._schema), written, compression="zstd")
        name = f"{self._name}/part-{self._files:05}.parquet"
        self._rows, self._files = [], self._files + 1
        return Member(name, written.getvalue(), is_compressed=True)


def _photo(example: Example) -> Row:
    detection, photo = example.detection, example.detection.photo
    return {
        "image_id": detection.pk,
        "detection": str(detection.uuid),
        "file": example.file_name,
        "original_name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "created_at": detection.created_at,
        "source": detection.source,
        "model_name": detection.model_name,
        "model_version": detection.model_version,
        "model_sha256": detection.model_sha256,
        "threshold": detection.threshold,
        "objects": len(example.labels),
        "time_s": time_of(photo.original_name),
    }


def _objects(example: Example) -> Iterator[Row]:
    for label in example.labels:
        box = label.box
        yield {
            "image_id": example.detection.pk,
            "file": example.file_name,
            "class": label.class_name,
            "probability": label.probability,
            "x": box.x,
            "y": box.y,
            "width": box.width,
            "height": box.height,
        }
