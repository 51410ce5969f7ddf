"""`manage.py second_opinions`: draws reviewed photos for a second reviewer, and shows how far two reviewers agree."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.review.second import service


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do."""

    help = "Draw a share of the reviewed photos for a second reviewer, or show how far two reviewers agree."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--share", type=float, help="of the reviewed photos that were not drawn before, 0 to 1")
        parser.add_argument(
            "--newest", type=int, default=service.NEWEST_REVIEWS, help="reviews to draw from (default: %(default)s)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        share = options["share"]
        if share is None:
            self.stdout.write(_table())
            return
        if not 0 < share <= 1 or options["newest"] < 1:
            raise CommandError("Give a --share above 0, at most 1, and one review or more to draw from.")
        drawn = service.draw(share, options["newest"])
        self.stdout.write(f"Drew {drawn} photos. Other reviewers find them at /review/second/.")


def _table() -> str:
    rows = service.agreement()
    if not rows:
        return "There is no second opinion yet. Draw photos for them with --share 0.1."
    lines = [f"{'class':<20} {'judged by both':>14} {'agree':>7} {'kappa':>6}"]
    for row in rows:
        kappa = "-" if row.kappa is None else f"{row.kappa:.2f}"
        lines.append(f"{row.class_name or '(all)':<20} {row.objects:>14} {row.share:>7.1%} {kappa:>6}")
    return "\n".join(lines)
