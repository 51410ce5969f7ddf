"""`manage.py fetch_model`: downloads a published checkpoint and makes it ready for the next start."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from detection.conf import load_config
from detection.registry import versions as model_versions
from detection.registry.downloads import DownloadError, KnownFile, source_from
from detection.registry.pretrained import KNOWN_MODELS, Installation, KnownModel, install


class Command(BaseCommand):
    """Command with exit code 0: the checkpoint is installed and verified; 1: an error on standard error says what to
    do.
    """

    help = "Download a published checkpoint, verify it, and use it from the next start on."
    # An invalid setting must not keep the operator from fetching the model that would fix it.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        models = "; ".join(f"{model.name}: {model.summary}" for model in KNOWN_MODELS.values())
        parser.add_argument("model", choices=sorted(KNOWN_MODELS), help=models)
        parser.add_argument(
            "--from",
            dest="source",
            metavar="DIR-OR-URL",
            help="a folder or a URL (http, https, file) that holds the files, instead of the place of publication",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        model = KNOWN_MODELS[options["model"]]
        try:
            source = source_from(options["source"] or model.url)
            with progress_bar(Console(stderr=True)) as progress:
                installation = install(model, source, settings.DETECTOR.models_dir, ProgressOfFiles(progress))
        except DownloadError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped. Run the same command again: it goes on from there.") from error
        self.stdout.write(_outcome(model, installation))


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


def _outcome(model: KnownModel, installation: Installation) -> str:
    count = len(model.files)
    if installation.fetched:
        size_mb = sum(file.size_bytes for file in installation.fetched) / 1e6
        done = f"Fetched {len(installation.fetched)} of {count} files ({size_mb:,.1f} MB) and verified them"
    else:
        done = f"All {count} files are here already, verified"
    prefix = load_config().model_prefix
    active = _active_version()
    if prefix.parent != installation.folder:
        then = f"MODEL_PREFIX names another checkpoint, {prefix}: unset it to use this one."
    elif active:
        then = (
            f"{active} is the active version and keeps answering, also after the next start. To use this checkpoint "
            "run `manage.py model deactivate` and start the server again."
        )
    else:
        then = "The server uses this checkpoint from its next start on."
    return f"{done}: {installation.folder}\n{then}"


def _active_version() -> str:
    """Return the version that is active in place of MODEL_PREFIX's model; "" for none, and before there is a
    database.
    """
    try:
        return str(model_versions.active() or "")
    except Error:
        return ""
