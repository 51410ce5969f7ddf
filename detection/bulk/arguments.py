"""Command-line arguments shared by the commands over many photos: filters of the history, and a probability."""

import argparse
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from detection.errors import RequestError
from detection.history.filters import DetectionFilter
from detection.history.selectors import shown
from detection.inference.tiles.grid import CHOICES
from detection.inference.videos.choice import HOW, FrameChoice
from detection.models import Detection

FILTERS = {
    "class": "detections that report an object of this class",
    "min_probability": "detections that report an object of at least this probability",
    "date_from": "from this day on (YYYY-MM-DD)",
    "date_to": "until this day, included (YYYY-MM-DD)",
    "zone": "the time zone of these days, such as Europe/Berlin; UTC if left out",
    "source": f"how the photo came in: {', '.join(Detection.Source.values)}",
    "reviewed": "1: detections whose review is done; 0: the others",
    "blind": "1: detections that were reviewed before the model's boxes were shown",
    "batch": "the id of a batch",
    "model": "the model that made them, NAME or NAME@VERSION",
}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add an option for each filter."""
    for name, text in FILTERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=f"filter_{name}", help=text)


def chosen_detections(options: Mapping[str, Any]) -> QuerySet[Detection]:
    """Return the detections that the filters choose, without those in the trash.

    Raises RequestError with a message that names the option.
    """
    given = {name: options[f"filter_{name}"] for name in FILTERS if options[f"filter_{name}"] is not None}
    filters = DetectionFilter(given, shown(Detection.objects.all()))
    if not filters.is_valid():
        name, errors = next(iter(filters.errors.items()))
        raise RequestError(f"--{name.replace('_', '-')}: {errors[0]}")
    found: QuerySet[Detection] = filters.qs
    return found


def add_tiles(parser: argparse.ArgumentParser) -> None:
    """Add the option --tiles."""
    parser.add_argument(
        "--tiles",
        choices=CHOICES,
        default="",
        help="look at so many tiles a side too, for small objects; auto: by each photo's pixels (default: as the "
        "model's card says)",
    )


def add_frames(parser: argparse.ArgumentParser) -> None:
    """Add the option --frames."""
    parser.add_argument(
        "--frames",
        type=_frames,
        metavar="WHICH",
        help="take frames of videos: one each interval (1s, 500ms, 2m), or `change`, whenever a twentieth of the "
        "picture has changed (change:2%%: a fiftieth); without it, videos in folders are skipped",
    )


def _frames(text: str) -> FrameChoice:
    try:
        return FrameChoice.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]} is no choice of frames. {HOW}".replace("%", "%%")) from error


def probability(text: str) -> float:
    """Parse a number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no probability. Give a number from 0 to 1.")
    return value
