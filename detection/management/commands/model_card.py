"""`manage.py model_card`: drafts the card of an exported network, for `manage.py model add`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from PIL import Image

from detection.inference.cards.card import CARD_NAME
from detection.inference.cards.drafts import PIXELS, Wishes, draft_card, has_network
from detection.inference.cards.foreign import how_to_export
from detection.inference.cards.presets import EXPORTERS
from detection.inference.cards.trial import try_card
from detection.inference.errors import InferenceError
from detection.inference.files import replace_file
from detection.inference.network import FITS
from detection.program import PROGRAM
from detection.registry.model_places import nested_folder
from detection.serving.trial import SAMPLE_PHOTO

# `--version` is Django's own.
_FACTS = {"name": "--name", "version": "--model-version", "licence": "--licence", "source": "--source"}


class Command(BaseCommand):
    """Command with exit code 0: model.toml is in the folder; 1: an error on standard error says what to do, and none
    is.
    """

    help = (
        "Write the model card (model.toml) of a folder with an ONNX, OpenVINO or TFLite file: its hashes, and input "
        "and decoding by what the export is, what is beside it and what it answers to a photo. A card that would be "
        f"refused is not written. Look it over, then `{PROGRAM} model add FOLDER` takes it in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        titles = "; ".join(f"{name}: {exporter.title}" for name, exporter in EXPORTERS.items())
        parser.add_argument("folder", type=Path)
        parser.add_argument("--exporter", choices=list(EXPORTERS), default="", help=f"where it is not seen. {titles}")
        parser.add_argument("--size", metavar="N|WxH", help="of the input in pixels, where the file leaves it free")
        parser.add_argument(
            "--pixels",
            choices=list(PIXELS),
            default="",
            help="range of the input: 0 to 1, 0 to 255, or ImageNet's mean and deviation, where nothing says it",
        )
        parser.add_argument("--colour", choices=["rgb", "bgr"], default="", help="order of the input's colours")
        parser.add_argument("--fit", choices=list(FITS), default="", help="how photos fill the input")
        for name, option in _FACTS.items():
            parser.add_argument(option, dest=f"fact_{name}", metavar="TEXT", help=f"`{name}` of the card")
        parser.add_argument("--force", action="store_true", help="replace a card that is there")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        folder = options["folder"]
        if folder.is_file():
            raise CommandError(how_to_export(folder) or f"{folder} is a file. {_instead(folder)}")
        try:
            folder = nested_folder(folder, has_network)
        except InferenceError as error:
            raise CommandError(str(error)) from error
        path = folder / CARD_NAME
        if path.exists() and not options["force"]:
            raise CommandError(f"{path} is there already. Edit it, or replace it with --force.")
        try:
            with Image.open(SAMPLE_PHOTO) as photo:
                drafted = draft_card(folder, photo.convert("RGB"), _wishes(options))
            try_card(folder, drafted.text, SAMPLE_PHOTO.read_bytes())
            replace_file(path, drafted.text.encode())
        except InferenceError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror}). Make the folder writable.") from error
        why = "\n".join(f"- {reason}" for reason in drafted.reasons)
        self.stdout.write(
            f"{drafted.text}\nWhy:\n{why}\n\nWritten to {path}. Look it over, then: {PROGRAM} model add {folder}"
        )


def _instead(file: Path) -> str:
    is_zip = file.suffix.lower() == ".zip"
    return "Unpack it, and name the folder." if is_zip else "Name the folder that it is in."


def _wishes(options: dict[str, Any]) -> Wishes:
    return Wishes(
        exporter=options["exporter"],
        size_wh=_size(options["size"]),
        pixels=options["pixels"],
        colour=options["colour"],
        fit=options["fit"],
        facts={name: options[f"fact_{name}"] for name in _FACTS if options[f"fact_{name}"]},
    )


def _size(given: str | None) -> tuple[int, int] | None:
    """Parse width and height from N or WxH. Raises CommandError."""
    if given is None:
        return None
    sides = given.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):  # noqa: PLR2004 width and height
        raise CommandError(f"--size is {given!r}; give it as 640, or as 640x384, in pixels.")
    return int(sides[0]), int(sides[-1])
