"""Writes the results of a run in the formats of `detection/exports/`, from its records, when all photos are done."""

import logging
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from detection.bulk.journal import JSON_LINES, Line, Run, RunFiles, read_lines
from detection.bulk.processing import safe_parts
from detection.errors import RequestError
from detection.exports.labels import Label
from detection.exports.registry import Member, export_formats
from detection.exports.selection import Example, Selection, stem_of
from detection.exports.stream import Export
from detection.inference.types import PixelBox
from detection.models import Detection, Photo
from detection.registry import catalogue
from detection.web.serializers import to_json

logger = logging.getLogger(__name__)


class FormatError(Exception):
    """The format does not exist, or cannot go to standard output; the message says what to do."""


def chosen_format(output: Path | None, name: str | None) -> str:
    """Return the requested format, or the one of the output's suffix. Raises FormatError."""
    found = _chosen(output, name)
    try:
        export_formats()[found].require()
    except RequestError as error:
        raise FormatError(str(error)) from error
    return found


def _chosen(output: Path | None, name: str | None) -> str:
    known = {each.name: each for each in export_formats().values() if not each.own_photos_only}
    if name is not None and name not in known:
        raise FormatError(f"There is no format {name}. Choose one of {', '.join(known)}.")
    if output is None:
        if name not in {None, JSON_LINES}:
            raise FormatError(f"{name} is written when all photos are done. Name a file for it with --output.")
        return JSON_LINES
    if name is not None:
        return name
    for found in known.values():
        suffix = found.name if found.is_folder else found.suffix
        if output.name.lower().endswith(f".{suffix}"):
            return found.name
    raise FormatError(f"No format is known by the end of {output.name}. Name one with --format: {', '.join(known)}.")


def finish(run_files: RunFiles, run: Run) -> None:
    """Write the output from the records atomically; then remove the journal. Raises OSError.

    In formats without a place for failed photos these get a file of their own, `OUTPUT.errors.jsonl`.
    """
    if run_files.records != run_files.output:
        if export_formats()[run.format].is_folder:
            _write_folder(run_files.output, export_formats()[run.format].members(_selection(run_files, run)))
        else:
            _write(run_files.output, _blocks(run_files, run))
        errors = (to_json(line) + b"\n" for line in read_lines(run_files.records) if "error" in line)
        if first := next(errors, None):
            _write(run_files.output.with_name(f"{run_files.output.name}.errors.jsonl"), _chained(first, errors))
    run_files.remove_journal()


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("wb") as file:
        file.writelines(blocks)
    temporary.replace(path)


def _write_folder(path: Path, members: Iterator[Member]) -> None:
    """Write the files of a format into a folder, which gets its name when all are there."""
    temporary = path.with_name(f"{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    for member in members:
        file = temporary / member.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(member.content if isinstance(member.content, bytes) else b"".join(member.content))
    temporary.replace(path)


def _blocks(run_files: RunFiles, run: Run) -> Iterator[bytes]:
    return Export(_selection(run_files, run), export_formats()[run.format], photos=False).blocks()


def _selection(run_files: RunFiles, run: Run) -> "RecordSelection":
    shared = _shared_stems(line["file"] for line in read_lines(run_files.records) if "error" not in line)
    if shared:
        logger.warning(
            "Photos differ by the type in their names alone (%d names, as a.jpg and a.png). Formats with a file of "
            "labels for each photo keep the type in its name (a.jpg.txt); rename photos if a program expects a.txt.",
            len(shared),
        )
    return RecordSelection(Detection.objects.none(), catalogue.model_classes(), 0, run_files.records, run, shared)


def _shared_stems(files: Iterable[str]) -> frozenset[int]:
    """Return the hashes of the names without their types that several photos have; 8 bytes a photo are held."""
    hashes = np.fromiter((hash(stem_of("/".join(safe_parts(file)))) for file in files), np.int64)
    found, counts = np.unique(hashes, return_counts=True)
    return frozenset(found[counts > 1].tolist())


@dataclass(frozen=True, slots=True)
class RecordSelection(Selection):
    """Selection of a run's processed photos, for the export formats; reads nothing from the database.

    Their ids count from 1, in the order of the input. shared: of `_shared_stems`.
    """

    records: Path
    run: Run
    shared: frozenset[int]

    def photos(self) -> Iterator[Detection]:
        """Yield the detections, without labels; reads the records anew at each call."""
        return (self._detection(number, line) for number, line in self._answered())

    def examples(self) -> Iterator[Example]:
        """Yield the detections with their labels; reads the records anew at each call."""
        for number, line in self._answered():
            detection = self._detection(number, line)
            labels = tuple(_label(found) for found in line["prediction"])
            yield Example(detection, self.name_of(detection), self.stem_of(detection), labels)

    def name_of(self, detection: Detection) -> str:
        """Return the photo's own path, without parts that lead out of the folder in which the export is unpacked."""
        return "/".join(safe_parts(detection.photo.original_name))

    def stem_of(self, detection: Detection) -> str:
        """Return the photo's path without its type, or all of it where photos of other types have the same."""
        name = self.name_of(detection)
        stem = stem_of(name)
        return name if hash(stem) in self.shared else stem

    def _answered(self) -> Iterator[tuple[int, Line]]:
        return enumerate((line for line in read_lines(self.records) if "error" not in line), 1)

    def _detection(self, number: int, line: Line) -> Detection:
        return Detection(
            pk=number,
            uuid=uuid.UUID(line["detection"]) if "detection" in line else uuid.uuid5(self.run.uuid, str(number)),
            photo=Photo(original_name=line["file"], width=line["width"], height=line["height"]),
            model_name=self.run.model_name,
            model_version=self.run.model_version,
            model_sha256=self.run.model_sha256,
            tile_grid=line.get("tiles", ""),
            threshold=self.run.threshold,
            source=Detection.Source.COMMAND,
            created_at=datetime.fromisoformat(self.run.begun_at),
        )


def _label(found: dict[str, Any]) -> Label:
    box = PixelBox(found["x"], found["y"], found["width"], found["height"])
    return Label(found["objectClass"], found["probability"], box)
