"""`manage.py fetch_model`: downloads a published model, or the file of any address, and verifies it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from detection.conf import load_config
from detection.program import PROGRAM
from detection.registry import versions as model_versions
from detection.registry.downloads import DownloadError, KnownFile, source_from
from detection.registry.known_models import KNOWN_MODELS, RESNET50_SSD, KnownModel
from detection.registry.pretrained import Installation, install, install_from_url


class Command(BaseCommand):
    """Command with exit code 0: the model is installed and verified; 1: an error on standard error says what to do."""

    help = (
        f"Download a published model (`{PROGRAM} models available` lists them), or one file of any address with --url, "
        "and verify it."
    )
    # An invalid setting must not keep the operator from fetching the model that would fix it.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        models = "; ".join(f"{model.name}: {model.summary}" for model in KNOWN_MODELS.values())
        parser.add_argument("model", nargs="?", choices=sorted(KNOWN_MODELS), help=models)
        parser.add_argument(
            "--from",
            dest="source",
            metavar="DIR-OR-URL",
            help="a folder or a URL (http, https, file) that holds the files, instead of the place of publication",
        )
        parser.add_argument("--url", help="address of one file, an ONNX export for one, instead of a published model")
        parser.add_argument("--sha256", metavar="HASH", help="SHA-256 of the file of --url, in hexadecimal")
        parser.add_argument("--name", default="", help="folder in DATA_DIR/models for the file of --url")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["model"]) is bool(options["url"]) or bool(options["url"]) is not bool(options["sha256"]):
            raise CommandError("Name a published model, or give --url together with --sha256.")
        try:
            with progress_bar(Console(stderr=True)) as progress:
                said = _fetch(options, ProgressOfFiles(progress))
        except DownloadError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped. Run the same command again: it goes on from there.") from error
        self.stdout.write(said)


def _fetch(options: dict[str, Any], on_bytes: "ProgressOfFiles") -> str:
    """Install what was asked for and return what to tell. Raises DownloadError."""
    models_dir = settings.DETECTOR.models_dir
    if options["url"]:
        installed = install_from_url(options["url"], options["sha256"], models_dir, on_bytes, name=options["name"])
        return (
            f"{_done(installed, 1)}: {installed.folder}\n"
            f"Then describe it, and add it: {PROGRAM} model_card {installed.folder}; "
            f"{PROGRAM} model add {installed.folder}"
        )
    model = KNOWN_MODELS[options["model"]]
    installed = install(model, source_from(options["source"] or model.url), models_dir, on_bytes)
    return f"{_done(installed, len(model.files))}: {installed.folder}\n{_next_step(model, installed)}"


class ProgressOfFiles:
    """Progress display with one line for each fetched file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, file: KnownFile, have_bytes: int) -> None:
        if file.name not in self._tasks:
            self._tasks[file.name] = self._progress.add_task(file.name, total=file.size_bytes, completed=have_bytes)
        self._progress.update(self._tasks[file.name], completed=have_bytes)


def progress_bar(console: Console) -> Progress:
    """Show name, bar, amount, rate and time left; silent where `console` is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _done(installation: Installation, count: int) -> str:
    if not installation.fetched:
        return f"All {count} files are here already, verified"
    size_mb = sum(file.size_bytes for file in installation.fetched) / 1e6
    return f"Fetched {len(installation.fetched)} of {count} files ({size_mb:,.1f} MB) and verified them"


def _next_step(model: KnownModel, installation: Installation) -> str:
    """Return how the model comes to answer; the checkpoint of 2017 takes the default's place by itself."""
    if model.name != RESNET50_SSD.name:
        return (
            f"Try it and add it: {PROGRAM} model add {installation.folder}; then let it answer: "
            f"{PROGRAM} model activate {model.name}. Or offer it beside the default: add {model.name} to MODELS."
        )
    prefix = load_config().model_prefix
    active = _active_version()
    if prefix.parent != installation.folder:
        return f"MODEL_PREFIX names another checkpoint, {prefix}: unset it to use this one."
    if active:
        return (
            f"{active} is the active version and keeps answering, also after the next start. To use this checkpoint "
            f"run `{PROGRAM} model deactivate` and start the server again."
        )
    return "The server uses this checkpoint from its next start on."


def _active_version() -> str:
    """Return the version that is active in place of MODEL_PREFIX's model; "" for none, and before there is a
    database.
    """
    try:
        return str(model_versions.active() or "")
    except Error:
        return ""
