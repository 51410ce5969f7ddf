"""`manage.py model_card`: drafts the card of an exported network, for `manage.py model add`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.inference.cards.card import CARD_NAME, parse_card
from detection.inference.cards.drafts import EXPORTERS, draft_card
from detection.inference.errors import InferenceError
from detection.inference.files import replace_file

# `--version` is Django's own.
_FACTS = {"name": "--name", "version": "--model-version", "licence": "--licence", "source": "--source"}


class Command(BaseCommand):
    """Command with exit code 0: model.toml is in the folder; 1: an error on standard error says what to do, and none
    is.
    """

    help = (
        "Write the model card (model.toml) of a folder with an ONNX file and classes.txt: its hashes, and input and "
        "decoding as the exporter makes them. Look it over, then `manage.py model add FOLDER` tries it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        titles = "; ".join(f"{name}: {exporter.title}" for name, exporter in EXPORTERS.items())
        parser.add_argument("folder", type=Path)
        parser.add_argument("--exporter", choices=list(EXPORTERS), default="", help=f"where it is not seen. {titles}")
        parser.add_argument("--size", metavar="N|WxH", help="of the input in pixels, where the file leaves it free")
        for name, option in _FACTS.items():
            parser.add_argument(option, dest=f"fact_{name}", metavar="TEXT", help=f"`{name}` of the card")
        parser.add_argument("--force", action="store_true", help="replace a card that is there")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        path = options["folder"] / CARD_NAME
        if path.exists() and not options["force"]:
            raise CommandError(f"{path} is there already. Edit it, or replace it with --force.")
        facts = {name: options[f"fact_{name}"] for name in _FACTS if options[f"fact_{name}"]}
        try:
            text = draft_card(
                options["folder"], exporter=options["exporter"], size_wh=_size(options["size"]), facts=facts
            )
            parse_card(options["folder"], text)
            replace_file(path, text.encode())
        except InferenceError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror}). Make the folder writable.") from error
        self.stdout.write(f"{text}\nWritten to {path}. Look it over, then: manage.py model add {options['folder']}")


def _size(given: str | None) -> tuple[int, int] | None:
    """Parse width and height from N or WxH. Raises CommandError."""
    if given is None:
        return None
    sides = given.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):  # noqa: PLR2004 width and height
        raise CommandError(f"--size is {given!r}; give it as 640, or as 640x384, in pixels.")
    return int(sides[0]), int(sides[-1])
