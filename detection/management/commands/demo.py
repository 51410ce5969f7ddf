"""`manage.py demo`: loads and removes a history to try the pages with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from detection.accounts.access import ANYBODY
from detection.demo import service
from detection.errors import DetectionTimeoutError, RequestError, StorageUnavailableError
from detection.inference.errors import InferenceError
from detection.predict import service as predict_service
from detection.review.service import Reviewer


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do."""

    help = (
        "Fill the history with some dozens of detections of sample photos, as of the last four weeks, some reviewed "
        "(load), and take out exactly those again (remove). The server may run meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("load", "remove"))

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            if options["action"] == "load":
                count = service.load(ANYBODY, Reviewer(name="demo"))
                self.stdout.write(f"Loaded {count} detections. Take them out again with `demo remove`.")
            else:
                self.stdout.write(f"Removed {service.remove()} detections of the demo history.")
        except (InferenceError, RequestError, StorageUnavailableError, DetectionTimeoutError) as error:
            raise CommandError(str(error)) from error
        except (OSError, DatabaseError) as error:
            raise CommandError(f"{error}. Fix that, then run this again; if needed, `demo remove` first.") from error
        finally:
            predict_service.stop()
