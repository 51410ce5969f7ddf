"""`manage.py restore`: restores a backup of `manage.py backup`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from detection.maintenance.backup import BackupError, restore
from detection.program import PROGRAM


class Command(BaseCommand):
    """Command with exit code 0: all is restored; 1: an error on standard error says what to do, the database is
    unchanged.
    """

    help = "Bring a backup back. Stop the server first: what it records meanwhile would be lost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help=f"a file of `{PROGRAM} backup`")
        parser.add_argument("--replace", action="store_true", help="also when the database has detections, which go")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            contents = restore(options["file"], replace=options["replace"])
        except (BackupError, OSError, Error) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {contents.detections:,} detections and {contents.photos:,} photos.")
        if contents.missing:
            self.stdout.write(f"{len(contents.missing):,} photos were missing when the backup was made.")
