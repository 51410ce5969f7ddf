"""`manage.py model`: adds, lists, activates, deactivates and removes versions of models, while servers run."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.inference.errors import CheckpointError, InferenceError
from detection.models import ModelVersion
from detection.registry import versions as model_versions
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
        add.add_argument("folder", type=Path, help="a folder with a model card (model.toml)")
        actions.add_parser("list", help="show the model of MODEL_PREFIX and all versions; * marks the active one")
        actions.add_parser("deactivate", help="let the model of MODEL_PREFIX answer again")
        for action, text in (("activate", "let a version answer"), ("remove", "delete a version that is not active")):
            one = actions.add_parser(action, help=text)
            one.add_argument("model", metavar="NAME[@VERSION]")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        try:
            self.stdout.write(self._act(options["action"], options))
        except (ModelVersionError, InferenceError) as error:
            raise CommandError(str(error)) from error

    def _act(self, action: str, options: dict[str, Any]) -> str:
        if action == "add":
            row = model_versions.add(options["folder"])
            return f"Added {row}. `manage.py model activate {row}` lets it answer."
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
