"""`manage.py model`: adds, lists, activates, deactivates and removes versions of models, while servers run."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from detection.evaluation.annotations import DatasetError
from detection.evaluation.archives import unpacked
from detection.evaluation.card_check import CardCheck
from detection.evaluation.datasets import load_dataset
from detection.inference.cards.card import CARD_NAME
from detection.inference.errors import CheckpointError, InferenceError
from detection.models import ModelVersion
from detection.program import PROGRAM
from detection.registry import versions as model_versions
from detection.registry.model_places import model_folder_in
from detection.registry.versions import ModelVersionError


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do, and nothing has changed."""

    help = (
        "Change the model that answers, without downtime: add a folder, list, activate (also back), "
        "deactivate (back to the model of MODEL_PREFIX), remove."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="add|list|activate|deactivate|remove")
        add = actions.add_parser("add", help="verify and try a model, and keep a copy in DATA_DIR")
        add.add_argument(
            "folder",
            type=Path,
            help="a folder with a model card (model.toml), here or in a folder within it, or a zip of it",
        )
        add.add_argument(
            "--check",
            type=Path,
            metavar="DATASET",
            help="compare the card with its likely alternatives on 20 annotated photos first (colours, range, fit, "
            "order of a box's numbers, classes), and do not add one that is clearly wrong",
        )
        actions.add_parser("list", help="show the model of MODEL_PREFIX and all versions; * marks the active one")
        actions.add_parser("deactivate", help="let the model of MODEL_PREFIX answer again")
        for action, text in (("activate", "let a version answer"), ("remove", "delete a version that is not active")):
            one = actions.add_parser(action, help=text)
            one.add_argument("model", metavar="NAME[@VERSION]")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            self.stdout.write(self._act(options["action"], options))
        except (ModelVersionError, InferenceError, DatasetError) as error:
            raise CommandError(str(error)) from error

    def _act(self, action: str, options: dict[str, Any]) -> str:
        if action == "add":
            with model_folder_in(options["folder"]) as folder:
                if options["check"]:
                    self._check(folder, options["check"])
                row = model_versions.add(folder)
            address = reverse("admin:detection_modelversion_look", args=[row.pk])
            return (
                f"Added {row}. `{PROGRAM} model activate {row}` lets it answer; {address} shows before what it finds "
                "in a few photos."
            )
        if action == "list":
            return _table()
        if action == "deactivate" or (action == "activate" and model_versions.means_configured(options["model"])):
            model_versions.deactivate()
            return _active(f"{model_versions.configured_name()} of MODEL_PREFIX")
        row = model_versions.find(options["model"])
        if action == "activate":
            model_versions.activate(row)
            return _active(str(row))
        model_versions.remove(row)
        return f"Removed {row}."

    def _check(self, folder: Path, dataset: Path) -> None:
        """Print how well the card and its alternatives do. Raises CommandError where it is clearly wrong."""
        with unpacked(dataset) as unpacked_folder:
            photos = load_dataset(unpacked_folder).photos
            found = model_versions.check(folder, photos, lambda what: self.stderr.write(f"Trying {what}"))
        self.stdout.write(_checked(found))
        if found.is_wrong:
            raise CommandError(
                f"The card is wrong: with {'; '.join(found.changes)} the average precision is {found.best_ap50:.3f}, "
                f"not {found.ap50:.3f}. Correct {folder / CARD_NAME}, or add it without --check."
            )


def _checked(found: CardCheck) -> str:
    """Format a table of alternatives, and its outcome in a sentence."""
    rows = [("the card as it is", found.ap50), *((each.value, each.ap50) for each in found.tried)]
    width = max(len(what) for what, _ in rows)
    table = "\n".join(f"{what:<{width}}  {ap50:.3f}" for what, ap50 in rows)
    outcome = "The card is as good as any."
    if found.changes and not found.is_wrong:
        outcome = (
            f"A little better, with so few photos maybe by chance: {'; '.join(found.changes)} ({found.best_ap50:.3f})."
        )
    elif found.changes:
        outcome = f"Best: {'; '.join(found.changes)} ({found.best_ap50:.3f})."
    return f"Average precision at IoU 0.5 on {found.photos} photos:\n{table}\n{outcome}"


def _active(name: str) -> str:
    return f"{name} is active: it was tried here, and running servers change to it within seconds."


def _table() -> str:
    rows = list(ModelVersion.objects.all())
    lines = [_marked(not any(row.is_active for row in rows), _configured())]
    lines += [
        _marked(row.is_active, f"{row}  {row.sha256[:12]}  added {row.added_at:%Y-%m-%d %H:%M} UTC{_problem(row)}")
        for row in rows
    ]
    return "\n".join(lines)


def _marked(is_active: bool, line: str) -> str:
    return f"{'*' if is_active else ' '} {line}"


def _configured() -> str:
    try:
        return f"{model_versions.configured_name()}  of MODEL_PREFIX"
    except CheckpointError as error:
        return f"The model of MODEL_PREFIX cannot be read: {error}"


def _problem(row: ModelVersion) -> str:
    return f"  could not be loaded: {row.problem}" if row.problem else ""
