"""Journal of a run on disk: a killed run resumes where it stopped, and processes each photo once.

The records are JSON Lines, one photo a line, written as they come. Beside them `OUTPUT.journal` describes the run;
it exists from the first moment to the last, so an output without one is complete. Only whole lines count:
half a line, left by a kill, is cut off, and its photo is processed again.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, Self

from detection.bulk.shard import ALL
from detection.inference.network import full_name
from detection.inference.tiles.grid import WHOLE
from detection.maintenance.file_lock import try_lock
from detection.web.serializers import to_json

JSON_LINES = "jsonl"
Line = dict[str, Any]


class JournalError(Exception):
    """A run cannot start or resume with this output; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """Properties shared by all lines of one output.

    uuid: of the run; the ids of its detections are derived from it, so that none is recorded twice. begun_at: in ISO
    8601. model_version: "" where no card gives one. tiles: as in `Upload`. shard: a `Shard` as text. watched: the
    folder whose photos arrive meanwhile, or "". frames: a `FrameChoice` as text; "" for none.
    point: NAME@NUMBER of the operating point that decides what is reported; "" where `threshold` does.
    """

    uuid: uuid.UUID
    format: str
    threshold: float
    model_name: str
    model_sha256: str
    begun_at: str
    model_version: str = ""
    tiles: str = WHOLE
    shard: str = str(ALL)
    watched: str = ""
    frames: str = ""
    point: str = ""

    @property
    def model(self) -> str:
        """name@version; the name alone where there is no version."""
        return full_name(self.model_name, self.model_version)

    @property
    def point_or_none(self) -> str:
        """The operating point for people."""
        return self.point or "none"

    @property
    def model_and_hash(self) -> str:
        """The model for people, by its name; the hash distinguishes models of one name."""
        return f"{self.model_sha256} ({self.model})"


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Files of a run: the output, the records that it is made from (JSON Lines are both), and the journal."""

    output: Path
    records: Path
    journal: Path

    @classmethod
    def of(cls, output: Path, output_format: str) -> Self:
        records = output if output_format == JSON_LINES else output.with_name(f"{output.name}.part.jsonl")
        return cls(output, records, output.with_name(f"{output.name}.journal"))

    def remove_journal(self) -> None:
        """Remove the journal: the output is complete."""
        if self.records != self.output:
            self.records.unlink()
        self.journal.unlink()


@contextmanager
def open_run(run_files: RunFiles, wanted: Run) -> Iterator[tuple[Run, bool]]:
    """Open the output and return its run, and whether it resumes: the stopped one found there, or `wanted`.

    Locks it against other processes. Raises JournalError when another one has it, when the output is complete already,
    or was begun with another model, threshold, tiles or format; OSError when its folder cannot be written.
    """
    with try_lock(run_files.journal) as is_ours:
        if not is_ours:
            raise JournalError(f"Another command is writing {run_files.output}. Wait for it, or name another --output.")
        written = run_files.journal.read_bytes()
        if written:
            yield _stopped(run_files, wanted, written), True
            return
        if run_files.output.exists():
            run_files.journal.unlink()
            raise JournalError(f"{run_files.output} is there already, complete. Remove it, or name another --output.")
        run_files.journal.write_bytes(to_json({**asdict(wanted), "uuid": str(wanted.uuid)}))
        yield wanted, False


def _stopped(run_files: RunFiles, wanted: Run, written: bytes) -> Run:
    try:
        found = json.loads(written)
        run = Run(**{**found, "uuid": uuid.UUID(found["uuid"])})
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{run_files.journal} is damaged. Remove it and {run_files.records} to begin from the start."
        ) from error
    for name, label, shown in (
        ("format", "format", "format"),
        ("threshold", "threshold", "threshold"),
        ("model_sha256", "model", "model_and_hash"),
        ("point", "operating point", "point_or_none"),
        ("tiles", "choice of tiles", "tiles"),
        ("shard", "part", "shard"),
        ("watched", "watched folder", "watched"),
        ("frames", "choice of frames", "frames"),
    ):
        if getattr(run, name) != getattr(wanted, name):
            raise JournalError(
                f"{run_files.output} was begun with another {label}: {getattr(run, shown)}, and now it is "
                f"{getattr(wanted, shown)}. Go on with the same, or remove {run_files.journal} and {run_files.records}."
            )
    return run


class _Counts:
    """Counts of a run. answered, failed: photos so far, in this run and those that it resumes."""

    def __init__(self) -> None:
        self.answered = self.failed = 0

    def count(self, line: Line) -> None:
        if "error" in line:
            self.failed += 1
        else:
            self.answered += 1


class Records(_Counts):
    """Records written so far, open for more."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._done: Counter[bytes] = Counter()
        path.touch()
        os.truncate(path, self._read_back(path))
        self._file = path.open("ab", buffering=0)

    def take_done(self, name: str, version: str = "") -> bool:
        """Return whether a photo of this name and version has its line already. One that was named twice is processed
        twice.
        """
        key = _key(name, version)
        if not self._done[key]:
            del self._done[key]
            return False
        self._done[key] -= 1
        return True

    def add(self, line: Line) -> None:
        """Write a line, immediately and whole. Raises OSError."""
        data = memoryview(to_json(line) + b"\n")
        while data:
            data = data[self._file.write(data) :]
        self.count(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read_back(self, path: Path) -> int:
        """Read the names already done; return the size of all whole lines in bytes."""
        size = 0
        for line, ends_at in _whole_lines(path):
            self._done[_key(line["file"], line.get("version", ""))] += 1
            self.count(line)
            size = ends_at
        return size


class Stream(Protocol):
    """Interface of a stream that lines can be printed to."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...


class Printed(_Counts):
    """Lines for a pipe or a terminal, which cannot be resumed."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._is_unicode = encoding.lower().replace("-", "").startswith("utf")

    def take_done(self, _name: str, _version: str = "") -> bool:
        """Return False: there is nothing to resume."""
        return False

    def add(self, line: Line) -> None:
        """Write a line immediately. Raises OSError."""
        text = to_json(line).decode()
        if not self._is_unicode:
            text = json.dumps(line, separators=(",", ":"))  # in ASCII, and the same JSON
        self._stream.write(f"{text}\n")
        self._stream.flush()
        self.count(line)


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the records, one at a time."""
    return (line for line, _ in _whole_lines(path))


def _whole_lines(path: Path) -> Iterator[tuple[Line, int]]:
    """Yield each line with its end position. Raises JournalError for a line that is not a record."""
    ends_at = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                return
            ends_at += len(raw)
            yield _parsed(path, number, raw), ends_at


def _parsed(path: Path, number: int, raw: bytes) -> Line:
    try:
        line = json.loads(raw)
        if isinstance(line["file"], str):
            return dict(line)
    except (ValueError, KeyError, TypeError):
        pass
    raise JournalError(f"Line {number} of {path} is no record of this command. Remove the file to begin anew.")


def _key(name: str, version: str) -> bytes:
    """Hash a name to sixteen bytes: the names of all processed photos are kept in memory."""
    return blake2b(f"{name}\0{version}".encode(), digest_size=16).digest()
