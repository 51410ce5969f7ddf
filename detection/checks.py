"""System checks, which report configuration errors at the start, with an id and a hint."""

import os
import stat
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks

from detection.conf import Config
from detection.errors import UnknownModelError
from detection.inference.cards.card import has_card, read_card
from detection.inference.errors import CheckpointError
from detection.inference.model_files import name_and_version
from detection.observability import tracing
from detection.program import PROGRAM
from detection.serving.locations import model_folder, models_parents, shadow_folder
from detection.serving.service import configured_source


@checks.register()
def check_environment(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.E001: an environment variable does not parse. detection.E005: it is no setting any more."""
    config: Config = settings.DETECTOR
    return [checks.Error(problem.message, hint=problem.hint, id=problem.check_id) for problem in config.problems]


@checks.register()
def check_checkpoint(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.E002: files of the configured model are missing, or its card cannot be used."""
    config: Config = settings.DETECTOR
    prefix = config.model_prefix
    if has_card(prefix):
        return _card_problems(prefix)
    needed = (
        prefix.with_name(f"{prefix.name}-symbol.json"),
        prefix.with_name(f"{prefix.name}-{config.model_epoch:04d}.params"),
        prefix.with_name("synset.txt"),
    )
    missing = [path.name for path in needed if not path.is_file()]
    if not missing:
        return []
    return [
        checks.Error(
            f"The checkpoint has no {', '.join(missing)} in {prefix.parent}.",
            hint="Set MODEL_PREFIX to FOLDER/NAME and MODEL_EPOCH to the number in NAME-0000.params, or "
            "MODEL_PREFIX to a folder with a model card, or unset both for the embedded model.",
            id="detection.E002",
        )
    ]


def _card_problems(folder: Path) -> list[checks.CheckMessage]:
    """Check the card only; the files are verified when the model is loaded: hashing them would slow every command
    down.
    """
    try:
        card = read_card(folder)
    except CheckpointError as error:
        message = str(error)
    else:
        missing = [name for name in card.files if not (folder / name).is_file()]
        if not missing:
            return []
        message = f"The model has no {', '.join(missing)} in {folder}."
    hint = "Fix the folder, set MODEL_PREFIX to another one, or unset it for the embedded model."
    return [checks.Error(message, hint=hint, id="detection.E002")]


@checks.register()
def check_shadow_model(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.E003: SHADOW_MODEL names no existing model, or one whose card cannot be used."""
    config: Config = settings.DETECTOR
    if not config.shadow.name:
        return []
    try:
        read_card(shadow_folder(config))
    except CheckpointError as error:
        hint = "Set SHADOW_MODEL to a folder with a model card in `models` or DATA_DIR/models, or unset it."
        return [checks.Error(str(error), hint=hint, id="detection.E003")]
    return []


@checks.register()
def check_tracing(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.E004: tracing is enabled, and its packages are not installed."""
    config: Config = settings.DETECTOR
    if not config.traces or tracing.is_installed():
        return []
    return [
        checks.Error(
            "OTEL_... asks for traces, and OpenTelemetry is not installed.",
            hint="Run pip install -r requirements-tracing.txt (or detector-site[tracing]), or set "
            "OTEL_TRACES_EXPORTER=none.",
            id="detection.E004",
        )
    ]


@checks.register()
def check_data_dir(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.W001: the data folder cannot be written. A warning: commands that store nothing run all the
    same.
    """
    config: Config = settings.DETECTOR
    if _can_be_written(config.data_dir):
        return []
    return [
        checks.Warning(
            f"DATA_DIR {config.data_dir} cannot be written: `{PROGRAM} serve` stops at the start where it has to keep "
            "its database or prepared models there.",
            hint="Set DATA_DIR to a folder that the server's user may write, or change its owner.",
            id="detection.W001",
        )
    ]


@checks.register()
def check_data_dir_rights(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """detection.W004: other users of this machine can read the photos in the data folder."""
    config: Config = settings.DETECTOR
    try:
        is_readable = bool(config.data_dir.stat().st_mode & stat.S_IXOTH)
    except (OSError, ValueError):
        return []
    if os.name != "posix" or not is_readable:
        return []
    return [
        checks.Warning(
            f"Other users of this machine can read the photos in DATA_DIR {config.data_dir}.",
            hint=f"Run chmod o-rwx {config.data_dir}",
            id="detection.W004",
        )
    ]


@checks.register()
def check_access(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.W002: everybody who reaches the server may use it, and see and delete all photos."""
    config: Config = settings.DETECTOR
    if config.needs_login or config.is_on_loopback:
        return []
    return [
        checks.Warning(
            f"ACCESS IS OPEN on {config.rest_host}:{config.rest_port}. Whoever reaches it sees and deletes all photos.",
            hint=f"Set ACCESS=login and make accounts ({PROGRAM} createsuperuser), or REST_HOST=127.0.0.1; "
            "leave it where only friends can reach the port.",
            id="detection.W002",
        )
    ]


@checks.register()
def check_offered_models(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Check detection.W003: MODELS names a missing model, or one whose card cannot be used.

    No error: its folder may be on its way, and until then requests for it are answered with an error. Loads no model.
    """
    config: Config = settings.DETECTOR
    problems = (_offer_problem(config, name) for name in config.models if not _is_configured(config, name))
    return [checks.Warning(message, hint=hint, id="detection.W003") for message, hint in filter(None, problems)]


def _offer_problem(config: Config, name: str) -> tuple[str, str] | None:
    """Return the problem of a model of MODELS, and what to do; None for none."""
    try:
        read_card(model_folder(config, name))
    except UnknownModelError:
        own, embedded = models_parents(config)
        versions = ", ".join(sorted(path.name for path in own.glob(f"{escape(name)}@*") if has_card(path)))
        instead = f" Versions go by their folders: {versions}; the active one needs no name." if versions else ""
        return (
            f"MODELS offers {name}, and neither {own} nor {embedded} has a folder {name} with a model card.",
            f"Put it there, or take {name} out of MODELS.{instead}",
        )
    except CheckpointError as error:
        return f"MODELS offers {name}, which cannot be used. {error}", f"Fix the folder, or take {name} out of MODELS."
    except OSError:
        # Not even a path: detection.W001 reports it for DATA_DIR.
        return None
    return None


def _is_configured(config: Config, name: str) -> bool:
    """Return whether MODEL_PREFIX's model has that name: it can be requested by it wherever its folder is."""
    try:
        return name_and_version(configured_source(config))[0] == name
    except CheckpointError:
        return False


def _can_be_written(folder: Path) -> bool:
    """Return whether the folder exists and is writable, or can be made; a name that the file system refuses cannot."""
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError:
        return False
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
