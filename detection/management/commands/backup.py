"""`manage.py backup`: writes database and photos to one file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from detection.conf import current
from detection.maintenance.backup import BackupError, back_up
from detection.maintenance.worker import bulk_deletion_lock
from detection.program import PROGRAM


class Command(BaseCommand):
    """Command with exit code 0: the file is complete; 1: an error on standard error says what to do, and there is no
    file.
    """

    help = "Write database (SQLite) and photos into one tar file. The server may run meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file that does not exist yet, such as detector-2026-01-31.tar")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            # No bulk deletion runs between the snapshot of the database and the copy of its photos.
            with bulk_deletion_lock(current.config().data_dir) as is_ours:
                if not is_ours:
                    raise CommandError("Another process is deleting detections. Run this again in a minute.")
                contents = back_up(options["file"])
        except (BackupError, OSError, Error) as error:
            raise CommandError(str(error)) from error
        for name in contents.missing:
            self.stderr.write(f"{name}: missing or damaged, and not in the backup; see `{PROGRAM} prune --check`")
        self.stdout.write(f"{options['file']}: {contents.detections:,} detections, {contents.photos:,} photos.")
