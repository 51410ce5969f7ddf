"""`manage.py training_set`: freezes reviewed photos as named versions, split for training and measuring."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.bulk.arguments import add_filters, chosen_detections
from detection.errors import RequestError
from detection.exports.registry import export_formats
from detection.inference.errors import CheckpointError
from detection.inference.files import replacing
from detection.models import TrainingSet
from detection.program import PROGRAM
from detection.registry.catalogue import classes_of_models
from detection.training import service
from detection.training.service import TrainingSetError


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do, and nothing has changed."""

    help = (
        "Freeze reviewed photos with their labels as a training set NAME@NUMBER: freeze, export, list. Near duplicates "
        f"are in one split. `{PROGRAM} evaluate NAME@NUMBER` measures models on its test split."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="freeze|export|list")
        freeze = actions.add_parser("freeze", help="make the next version of a set from the reviewed photos")
        freeze.add_argument("name")
        freeze.add_argument("--licence", required=True, help="who may use the photos, and for what")
        add_filters(freeze)
        export = actions.add_parser("export", help="write a zip with the photos, a folder for each split")
        export.add_argument("training_set", metavar="NAME[@NUMBER]")
        export.add_argument("output", type=Path, help="a file that does not exist yet")
        export.add_argument("--format", choices=list(export_formats()), default="yolo", help="default: %(default)s")
        actions.add_parser("list", help="show all training sets")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        act = {"freeze": _frozen, "export": _exported, "list": _listed}[options["action"]]
        try:
            self.stdout.write(act(options))
        except (TrainingSetError, RequestError, CheckpointError) as error:
            raise CommandError(str(error)) from error


def _frozen(options: Mapping[str, Any]) -> str:
    detections = chosen_detections(options)
    frozen = service.freeze(options["name"], options["licence"], detections, classes_of_models(detections))
    lines = [
        f"Froze {frozen.training_set}: {_counts(frozen.training_set)}; the largest group of near duplicates has "
        f"{frozen.largest_group}. SHA-256 {frozen.training_set.sha256}"
    ]
    if frozen.unreadable:
        lines.append(f"Left out {frozen.unreadable} photos whose files are missing or damaged.")
    return "\n".join(lines)


def _counts(training_set: TrainingSet) -> str:
    return ", ".join(f"{count} {split}" for split, count in service.counts(training_set).items())


def _exported(options: Mapping[str, Any]) -> str:
    training_set, path = service.find(options["training_set"]), options["output"]
    chosen = export_formats()[options["format"]]
    chosen.require()
    if path.exists():
        raise RequestError(f"{path} exists already. Remove it, or name another file.")
    try:
        with replacing(path) as file:
            file.writelines(service.blocks(training_set, chosen.name))
            size_bytes = file.tell()
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror}. Name another file.") from error
    gone = service.missing(training_set)
    said = f" {gone} of its photos have been deleted since it was frozen." if gone else ""
    return f"Wrote {training_set} to {path} ({size_bytes / 1e6:,.1f} MB).{said}"


def _listed(_options: Mapping[str, Any]) -> str:
    lines = [
        f"{row}  {_counts(row)}  {row.sha256[:12]}  made {row.created_at:%Y-%m-%d %H:%M} UTC  {row.licence}"
        for row in TrainingSet.objects.all()
    ]
    return "\n".join(lines) or f"There is no training set yet. Make one with `{PROGRAM} training_set freeze`."
