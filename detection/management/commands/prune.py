"""`manage.py prune`: deletes old detections and orphans."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from detection.conf import current, size_bytes
from detection.errors import StorageUnavailableError
from detection.maintenance import orphans
from detection.maintenance.retention import Pruned, RetentionError, Rules, clock_problem, prune
from detection.maintenance.worker import bulk_deletion_lock

_AGES = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MAX_DAYS = 36_500


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do."""

    help = (
        "Delete detections with their photos, the oldest first, in short transactions; the server may run meanwhile. "
        "With --orphans, also files without a row, and a report of rows without a file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=_age, metavar="AGE", help="delete what is older: 12h, 30d, 8w")
        parser.add_argument("--keep", type=_count, metavar="COUNT", help="keep that many detections, the newest")
        parser.add_argument("--max-bytes", type=_size, metavar="SIZE", help="keep so many bytes of photos: 500MB, 20GB")
        parser.add_argument(
            "--min-free", type=_size, metavar="SIZE", help="make so much free on the disk of DATA_DIR: 5GB"
        )
        parser.add_argument("--orphans", action="store_true", help="remove files without rows, report the opposite")
        parser.add_argument("--grace", type=_age, default=orphans.GRACE, help="leave younger files alone (1h)")
        parser.add_argument("--check", action="store_true", help="read every photo's file and report damaged ones")
        parser.add_argument("--forget-missing", action="store_true", help="delete the detections whose photo is gone")
        parser.add_argument("--yes", action="store_true", help="the clock is right, though nothing came in for long")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        rules = Rules(options["older_than"], options["keep"], options["max_bytes"], options["min_free"])
        if rules.is_empty and not (options["orphans"] or options["forget_missing"] or options["check"]):
            raise CommandError("Say what may stay: --older-than 30d, --keep 100000, --max-bytes 20GB, --min-free 5GB.")
        data_dir = current.config().data_dir
        try:
            with bulk_deletion_lock(data_dir) as is_ours:
                if not is_ours:
                    raise CommandError("Another process is deleting already. Wait for it, then run this again.")
                if not options["yes"] and (problem := clock_problem(rules)):
                    raise CommandError(f"{problem} Nothing was deleted. Set the clock, or add --yes if it is right.")
                self._prune(rules, options["dry_run"])
                if options["orphans"]:
                    self._remove_files(options["grace"], options["dry_run"])
                if options["check"]:
                    self._check_files()
                if options["orphans"] or options["forget_missing"]:
                    self._report_rows(options["forget_missing"] and not options["dry_run"])
        except (RetentionError, StorageUnavailableError) as error:
            raise CommandError(str(error)) from error
        except (Error, OSError) as error:
            raise CommandError(f"{error}. What was deleted so far is deleted; run this again later.") from error

    def _prune(self, rules: Rules, dry_run: bool) -> None:
        if rules.is_empty:
            return
        pruned = prune(rules, current.config().data_dir, dry_run=dry_run)
        self.stdout.write(f"{_would(dry_run)} {_counts(pruned)}.")

    def _remove_files(self, grace: timedelta, dry_run: bool) -> None:
        removed = Pruned()
        for file in orphans.files_without_rows(grace):
            self.stdout.write(f"{file.name}: a file without a row")
            if not dry_run:
                orphans.remove(file)
            removed.add(Pruned(0, 1, file.size_bytes))
        self.stdout.write(f"{_would(dry_run)} {removed.files:,} files without rows ({removed.bytes:,} bytes).")

    def _check_files(self) -> None:
        count = 0
        for photo, damage in orphans.damaged_photos():
            count += 1
            self.stdout.write(f"{photo.file}: {damage} ({photo})")
        if count:
            raise CommandError(
                f"{count:,} photos are damaged or missing. Send them again, or bring their files back from a backup."
            )
        self.stdout.write("Every photo's file is whole.")

    def _report_rows(self, forget: bool) -> None:
        count = 0
        for photo in orphans.photos_without_files():
            count += 1
            self.stdout.write(f"{photo.file}: a row without a file ({photo})")
            if forget:
                orphans.forget(photo)
        if forget:
            self.stdout.write(f"Forgot {count:,} photos whose file is gone.")
        elif count:
            self.stdout.write(
                f"{count:,} photos have lost their file. Bring it back from a backup, or use --forget-missing."
            )
        else:
            self.stdout.write("Every photo has its file.")


def _would(dry_run: bool) -> str:
    return "Would delete" if dry_run else "Deleted"


def _counts(pruned: Pruned) -> str:
    return f"{pruned.detections:,} detections and {pruned.files:,} photos ({pruned.bytes:,} bytes)"


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    age = None if match is None else int(match[1]) * _AGES[match[2]]
    if age is None or age.days > _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is no age. Give hours, days or weeks: 12h, 30d, 8w.")
    return age


def _count(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,12}", text) is None:
        raise argparse.ArgumentTypeError(f"{text} is no count. Give a whole number.")
    return int(text)


def _size(text: str) -> int:
    try:
        return size_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no size. Give bytes, or KB, MB, GB, TB: 5GB.") from error
