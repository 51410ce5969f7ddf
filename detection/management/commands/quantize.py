"""`manage.py quantize`: makes the int8 model of the active checkpoint, calibrated on photos."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import track

from detection.conf import current
from detection.inference.engines.registry import is_installed
from detection.inference.errors import InferenceError
from detection.inference.model_files import ModelSource, open_model
from detection.inference.photos.formats import SUFFIXES
from detection.program import PROGRAM
from detection.registry import catalogue


class Command(BaseCommand):
    """Command with exit code 0: the int8 model is beside the checkpoint; 1: an error on standard error says what to
    do.
    """

    help = (
        "Make an int8 model for MODEL_PRECISION=int8, beside the files of the model that a server answers with: the "
        "active version, in DATA_DIR, else MODEL_PREFIX's. Its ranges are measured on photos: 100 or more, such as the "
        "service will get; they need no annotations."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="files, or folders with photos")
        parser.add_argument("--model", type=Path, metavar="FOLDER", help="another model: a folder with a model card")
        parser.add_argument("--limit", type=int, metavar="N", help="use the first N photos")
        parser.add_argument(
            "--source", default="", help="where the photos come from, to be noted (default: the names of PHOTOS)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError when a photo or the checkpoint cannot be used."""
        if not is_installed("onnxruntime"):
            raise CommandError("Quantization needs ONNX Runtime: install requirements.txt or detector-site[cpu].")
        # ONNX Runtime's quantization takes a moment to import.
        from detection.inference.precision.quantization import quantize

        config = current.config()
        paths = find_photos(options["photos"])[: options["limit"]]
        photos = _Photos(paths)
        source = options["source"] or ", ".join(path.name or str(path) for path in options["photos"])
        try:
            chosen = catalogue.default_source() if options["model"] is None else ModelSource(options["model"])
            network = open_model(chosen, config.cache_dir)
            model = quantize(network, photos, max_pixels=config.max_pixels, source=source)
        except InferenceError as error:
            raise CommandError(f"{photos.current}: {error}" if photos.current else str(error)) from error
        self.stdout.write(
            f"Calibrated on {len(paths)} photos, the int8 model of {network.full_name}: {model} "
            f"({model.stat().st_size / 1e6:.1f} MB).\n"
            "MODEL_PRECISION=int8 uses it from the next start on. What it costs in accuracy:\n"
            f"{PROGRAM} evaluate DATASET --compare f32,int8 --write-table (then MODEL_PRECISION=auto may use it too)."
        )


class _Photos(Iterable[bytes]):
    """Iterator that reads files one by one, with a progress bar; `current` is the one being processed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.current: Path | None = None

    def __iter__(self) -> Iterator[bytes]:
        console = Console(stderr=True)
        for path in track(self._paths, "Calibrating", console=console, disable=not console.is_terminal):
            self.current = path
            yield path.read_bytes()
        self.current = None


def find_photos(given: Iterable[Path]) -> list[Path]:
    """Return the named files, and the photos in the named folders, these sorted.

    Raises CommandError when something does not exist.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            found.extend(sorted(inside))
        elif path.is_file():
            found.append(path)
        else:
            raise CommandError(f"{path} is neither a file nor a folder. Name photos, or folders that hold some.")
    return found
