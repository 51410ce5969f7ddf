"""`manage.py models available`: lists the published models that `manage.py fetch_model` downloads."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from detection.program import PROGRAM
from detection.registry.known_models import KNOWN_MODELS, KnownModel
from detection.registry.pretrained import is_installed

_HEADINGS = ("", "name", "model", "licence", "MB", "accuracy", "core ms")


class Command(BaseCommand):
    """Command with exit code 0: the list is printed; * marks the models whose files are here."""

    help = f"List the published models that `{PROGRAM} fetch_model NAME` downloads; * marks those that are here."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["available"])

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run the command."""
        rows = [_HEADINGS, *(_row(model) for model in KNOWN_MODELS.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())
        self.stdout.write(
            "\nAccuracy as published. Time of one core for one photo; docs/models.md says how it was measured."
        )


def _row(model: KnownModel) -> tuple[str, ...]:
    return (
        "*" if is_installed(model, settings.DETECTOR.models_dir) else "",
        model.name,
        model.summary,
        model.licence,
        f"{model.size_bytes / 1e6:.1f}",
        ", ".join(f"{key} {value:.3f}" for key, value in model.accuracy.items() if isinstance(value, float)) or "-",
        "-" if model.core_ms is None else f"{model.core_ms:.0f}",
    )
