"""Lists of photos' names: CSV and Parquet files with a column `path`, read a piece at a time."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

COLUMN = "path"


class ListError(Exception):
    """A list cannot be read any further; the message says what to do."""


def is_list(name: str) -> bool:
    """Return whether a file name has the suffix of a list."""
    return name.lower().endswith((".csv", ".parquet"))


def names_in(path: Path) -> Iterator[str]:
    """Yield the names of the column `path`, or of the first column where none is called so. Raises ListError, OSError.

    A CSV without that column has names from its first line on.
    """
    return _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)


def _csv(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            column = None
            for row in csv.reader(file):
                if column is None:
                    titles = [cell.strip().lower() for cell in row]
                    column = titles.index(COLUMN) if COLUMN in titles else 0
                    if COLUMN in titles:
                        continue
                if len(row) > column and row[column]:
                    yield row[column]
        except csv.Error as error:
            raise ListError(f"The list cannot be read any further ({error}).") from error


def _parquet(path: Path) -> Iterator[str]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ListError("Parquet needs pyarrow: run pip install -r requirements-parquet.txt.") from error
    try:
        with parquet.ParquetFile(path) as table:
            titles = table.schema_arrow.names
            column = COLUMN if COLUMN in titles else next(iter(titles), "")
            kinds = pyarrow.types
            kind = table.schema_arrow.field(column).type if column else pyarrow.null()
            if not any(is_one(kind) for is_one in (kinds.is_string, kinds.is_large_string, kinds.is_dictionary)):
                raise ListError(f"The column {column!r} of the list has no text. Call the one with names {COLUMN!r}.")
            for batch in table.iter_batches(columns=[column]):
                yield from (os.fspath(name) for name in batch.column(0).to_pylist() if name)
    except (pyarrow.ArrowException, TypeError) as error:
        raise ListError(f"The list cannot be read any further ({str(error).splitlines()[0]}).") from error
