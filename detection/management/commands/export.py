"""`manage.py export`: detections as training data or tables, into a file or down a pipe."""

import contextlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from detection.errors import RequestError
from detection.export.registry import export_formats
from detection.export.selection import Selection
from detection.export.stream import Export
from detection.filters import DetectionFilter
from detection.inference.errors import CheckpointError
from detection.known_models import classes_of_models
from detection.models import Detection

_FILTERS = {
    "class": "detections that report an object of this class",
    "min_probability": "detections that report an object of at least this probability",
    "date_from": "from this day on (YYYY-MM-DD)",
    "date_to": "until this day, included (YYYY-MM-DD)",
    "source": f"how the photo came in: {', '.join(Detection.Source.values)}",
    "batch": "the id of a batch",
}
_STDOUT = "-"


class Command(BaseCommand):
    """Exit code 0: the file is whole; 1: a sentence on standard error says what to do, and no file was made."""

    help = "Export detections, all of them or those that the filters choose."

    def add_arguments(self, parser: CommandParser) -> None:
        formats = export_formats()
        titles = ", ".join(f"{name}: {chosen.title}" for name, chosen in formats.items())
        parser.add_argument("format", choices=list(formats), help=titles)
        parser.add_argument("output", help="a file that does not exist yet, or - for standard output")
        parser.add_argument("--photos", action="store_true", help="a zip with the photos too")
        for name, text in _FILTERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", dest=f"filter_{name}", help=text)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Raises CommandError."""
        try:
            export = Export(_selection(options), export_formats()[options["format"]], options["photos"])
            if options["output"] == _STDOUT:
                sys.stdout.buffer.writelines(export.blocks())
                return
            size_bytes = _write(Path(options["output"]), export.blocks())
        except (RequestError, CheckpointError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be read: {error}. Run `manage.py migrate`, or look at it."
            ) from error
        except OSError as error:
            raise CommandError(
                f"{options['output']} cannot be written: {error.strerror}. Name another file."
            ) from error
        self.stdout.write(f"Wrote {options['output']} ({size_bytes / 1e6:,.1f} MB).")


def _selection(options: dict[str, Any]) -> Selection:
    given = {name: options[f"filter_{name}"] for name in _FILTERS if options[f"filter_{name}"] is not None}
    filters = DetectionFilter(given, Detection.objects.all())
    if not filters.is_valid():
        name, errors = next(iter(filters.errors.items()))
        raise RequestError(f"--{name.replace('_', '-')}: {errors[0]}")
    return Selection.of(filters.qs, classes_of_models(filters.qs))


def _write(path: Path, blocks: Iterable[bytes]) -> int:
    """Beside its place, then renamed: a file of that name is a whole one. Returns its size; raises OSError."""
    if path.exists():
        raise RequestError(f"{path} exists already. Remove it, or name another file.")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.writelines(blocks)
            size_bytes = file.tell()
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    return size_bytes
