"""`manage.py redetect`: runs a model over the photos of the history, beside the detections of other models."""

import sys
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from rich.console import Console

from detection.bulk.arguments import add_filters, add_tiles, chosen_detections, probability
from detection.bulk.redetect import detect_again
from detection.bulk.running import Totals
from detection.conf import current
from detection.errors import RequestError
from detection.inference.detector import Detector, load_detector
from detection.inference.errors import InferenceError
from detection.program import PROGRAM
from detection.registry.catalogue import find_model, use_points
from detection.serving import service as serving

# The run limits the number of photos in flight itself; none is refused.
_UNBOUNDED = sys.maxsize
_GO_ON = "The same command goes on from there."


class Command(BaseCommand):
    """Command with exit code 0: all photos have a detection of the model; 3: some failed, and are listed; 1: none could
    be done, or an error on standard error says why the run ended; 130: stopped by a signal. Ended early, the same
    command resumes.
    """

    help = (
        "Run a model over the photos of the history. What is there stays; photos that have a detection of this model "
        "with the same --tiles are passed over, so a run that was stopped or killed goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", metavar="MODEL", help=f"NAME or NAME@VERSION, as `{PROGRAM} evaluate --models`")
        parser.add_argument(
            "--threshold", type=probability, help="report objects above it (default: PROBABILITY_MORE, else the card's)"
        )
        add_tiles(parser)
        add_filters(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError when the run cannot start or resume, SystemExit with one of the
        codes.
        """
        try:
            totals = self._run(options)
        except (RequestError, InferenceError) as error:
            raise CommandError(str(error)) from error
        except (OSError, DatabaseError) as error:
            raise CommandError(f"{error}. Fix that. {_GO_ON}") from error
        # Not in the red of errors.
        self.stderr.write(str(totals), style_func=str)
        if totals.exit_code:
            raise SystemExit(totals.exit_code)

    def _run(self, options: dict[str, Any]) -> Totals:
        detections = chosen_detections(options)
        chosen = replace(current.config(), queue_size=_UNBOUNDED)
        wanted = replace(serving.detector_options(chosen), source=find_model(options["model"]))
        use_points()
        detector = serving.on_model_thread(lambda: load_detector(wanted))
        self.stderr.write(f"Model: {detector.network.full_name}", style_func=str)
        try:
            return detect_again(
                detections,
                detector,
                options["threshold"],
                Console(stderr=True),
                options["tiles"] or detector.network.tiles,
            )
        finally:
            serving.on_model_thread(lambda: _closed(detector))


def _closed(detector: Detector) -> Detector:
    detector.close()
    return detector
