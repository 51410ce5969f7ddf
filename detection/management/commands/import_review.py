"""`manage.py import_review`: takes over reviews of Label Studio, or of whatever else writes COCO files."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from detection.bulk.review_import import take_over
from detection.bulk.reviewed_files import ReviewFileError, read_reviews
from detection.program import PROGRAM
from detection.review.service import Reviewer, reviewer_of
from detection.web.text import plain

_SOME_LEFT_OUT = 3
_NAME = "import"


class Command(BaseCommand):
    """Command with exit code 0: all photos were taken over; 3: some were not, and are named; 1: an error on standard
    error says what to do.
    """

    help = (
        "Make verdicts of photos that were reviewed in another program: Label Studio's JSON, or COCO. What is missing "
        "there is rejected here, what is new is added, and the reviews are finished. A second time nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--reviewer", metavar="USER", help="whose verdicts they are (default: nobody's account)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError, and SystemExit where photos were left out."""
        changed = unchanged = missing = 0
        reviewer = _reviewer(options["reviewer"])
        try:
            for photo in (photo for path in options["files"] for photo in read_reviews(path)):
                outcome = take_over(photo, reviewer)
                if outcome.problem:
                    missing += 1
                    self.stderr.write(plain(f"{outcome.name}: {outcome.problem}"), style_func=str)
                elif outcome.is_changed:
                    changed += 1
                else:
                    unchanged += 1
        except (ReviewFileError, OSError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {error}. Fix that, and run it again.") from error
        self.stdout.write(f"{changed:,} photos taken over, {unchanged:,} were so already, {missing:,} left out.")
        if missing:
            raise SystemExit(_SOME_LEFT_OUT)


def _reviewer(name: str | None) -> Reviewer:
    if name is None:
        return Reviewer(None, _NAME)
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name}. Make one with `{PROGRAM} createsuperuser`, or leave it out.")
    return reviewer_of(user)
