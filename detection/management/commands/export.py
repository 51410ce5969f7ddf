"""`manage.py export`: writes detections as training data or tables, to a file or a pipe."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from detection.bulk.arguments import add_filters, chosen_detections
from detection.errors import RequestError
from detection.exports.registry import export_formats
from detection.exports.selection import Selection
from detection.exports.stream import Export
from detection.inference.errors import CheckpointError
from detection.inference.files import replacing
from detection.program import PROGRAM
from detection.registry.catalogue import classes_of_models

_STDOUT = "-"


class Command(BaseCommand):
    """Command with exit code 0: the file is complete; 1: an error on standard error says what to do, and no file was
    made.
    """

    help = "Export detections, all of them or those that the filters choose."

    def add_arguments(self, parser: CommandParser) -> None:
        formats = export_formats()
        titles = ", ".join(f"{name}: {chosen.title}" for name, chosen in formats.items())
        parser.add_argument("format", choices=list(formats), help=titles)
        parser.add_argument("output", help="a file that does not exist yet, or - for standard output")
        parser.add_argument("--photos", action="store_true", help="a zip with the photos too")
        add_filters(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            chosen = export_formats()[options["format"]]
            chosen.require()
            export = Export(_selection(options), chosen, options["photos"])
            if options["output"] == _STDOUT:
                sys.stdout.buffer.writelines(export.blocks())
                return
            size_bytes = _write(Path(options["output"]), export.blocks())
        except (RequestError, CheckpointError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be read: {error}. Run `{PROGRAM} migrate`, or look at it."
            ) from error
        except OSError as error:
            raise CommandError(
                f"{options['output']} cannot be written: {error.strerror}. Name another file."
            ) from error
        self.stdout.write(f"Wrote {options['output']} ({size_bytes / 1e6:,.1f} MB).")


def _selection(options: dict[str, Any]) -> Selection:
    detections = chosen_detections(options)
    return Selection.of(detections, classes_of_models(detections))


def _write(path: Path, blocks: Iterable[bytes]) -> int:
    """Write to a temporary file, then rename it, so that the file is always complete. Returns its size; raises
    OSError.
    """
    if path.exists():
        raise RequestError(f"{path} exists already. Remove it, or name another file.")
    with replacing(path) as file:
        file.writelines(blocks)
        return file.tell()
