"""Generates a synthetic history, reproducible by its seed, to measure lists and dashboards with."""

import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection
from django.utils import timezone

from bench.history.rows import Plan, make
from detection.inference.errors import CheckpointError
from detection.models import Detection
from detection.registry import catalogue

PROGRESS = 100_000


class Command(BaseCommand):
    """Command with exit code 0: the history is written; 1: an error on standard error says what to do."""

    help = "Generate a synthetic history for measuring. The same seed gives the same history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--detections", type=_at_least_one, default=1_000, help="how many (default: 1000)")
        parser.add_argument("--days", type=_at_least_one, default=365, help="over how many days (default: 365)")
        parser.add_argument("--reviewed", type=_share, default=0.1, help="share that is reviewed (default: 0.1)")
        parser.add_argument("--seed", type=int, default=1, help="another number gives another history (default: 1)")
        parser.add_argument("--until", type=_moment, default=None, help="its last day, YYYY-MM-DD (default: now)")
        parser.add_argument("--add", action="store_true", help="also where there are detections already")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            if not options["add"] and Detection.objects.exists():
                raise CommandError(
                    "There are detections already, and made ones would lie among them. "
                    "Set another DATA_DIR, or use --add."
                )
            plan = Plan(
                options["detections"],
                catalogue.model_classes(),
                options["seed"],
                options["until"] or timezone.now(),
                options["days"],
                options["reviewed"],
            )
            for done in make(plan):
                if done % PROGRESS == 0:
                    self.stdout.write(f"{done:,} of {plan.detections:,}")
            _gather_statistics()
        except CheckpointError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(f"The database cannot be written: {error}. Run `manage.py migrate`.") from error
        except OSError as error:
            raise CommandError(f"A photo cannot be written: {error.strerror}. Look at DATA_DIR.") from error
        self.stdout.write(f"Made {plan.detections:,} detections.")


def _gather_statistics() -> None:
    """Update the planner's statistics, which a freshly filled database lacks until it does so by itself."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return share


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day of the form YYYY-MM-DD") from error
