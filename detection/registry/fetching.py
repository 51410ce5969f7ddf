"""Downloads of published models in the background, for the admin: fetched, verified, tried, added as a version."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from detection.inference.errors import InferenceError
from detection.inference.files import replace_file
from detection.models import ModelVersion
from detection.registry import versions as model_versions
from detection.registry.downloads import DownloadError, Source, left_bytes, source_from
from detection.registry.known_models import KNOWN_MODELS, KnownModel
from detection.registry.pretrained import install

logger = logging.getLogger(__name__)

_PROBLEM = ".fetch-problem"
# A download that another process has grown within this time is under way there.
_ALIVE_S = 60.0
_running: dict[str, threading.Thread] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class FetchState:
    """State of one published model on this machine: added, being fetched (with the share that is here), or neither.

    problem: why the last fetch from the admin failed; "" where it did not.
    """

    model: KnownModel
    version: ModelVersion | None
    is_running: bool
    percent: int
    problem: str


def states() -> list[FetchState]:
    """Return the state of every published model. Raises django.db.Error."""
    added = {str(row): row for row in ModelVersion.objects.all()}
    return [_state(model, added) for model in KNOWN_MODELS.values()]


def start(name: str, source: Source | None = None) -> bool:
    """Begin to fetch a published model; False where that is under way. Raises KeyError.

    source: instead of the place of publication.
    """
    model = KNOWN_MODELS[name]
    with _lock:
        thread = _running.get(name)
        if thread is not None and thread.is_alive():
            return False
        thread = threading.Thread(target=_run, args=(model, source), name=f"fetch of {name}", daemon=True)
        _running[name] = thread
        thread.start()
    return True


def wait(name: str, timeout_s: float) -> None:
    """Block until the fetch of a model has ended in this process."""
    if thread := _running.get(name):
        thread.join(timeout_s)


def _run(model: KnownModel, source: Source | None) -> None:
    problem = _folder(model) / _PROBLEM
    try:
        _in_own_connection(lambda: _fetch_and_add(model, source))
    except (DownloadError, InferenceError, model_versions.ModelVersionError, OSError) as error:
        _note(problem, str(error))
    except Exception:  # the outermost edge of a thread
        logger.exception("The fetch of %s failed.", model.name)
        _note(problem, "It failed for a reason that nobody has foreseen; the server's log has it.")
    else:
        problem.unlink(missing_ok=True)


def _fetch_and_add(model: KnownModel, source: Source | None) -> None:
    installed = install(model, source or source_from(model.url), model_versions.models_dir(), lambda _file, _have: None)
    if not ModelVersion.objects.filter(name=model.name, version=model.version).exists():
        model_versions.add(installed.folder)


def _in_own_connection(run: Callable[[], None]) -> None:
    try:
        run()
    finally:
        connection.close()


def _note(path: Path, sentence: str) -> None:
    logger.warning("A model could not be fetched: %s", sentence)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, sentence.encode())
    except OSError:
        logger.warning("%s cannot be written, so the admin does not show why.", path)


def _state(model: KnownModel, added: dict[str, ModelVersion]) -> FetchState:
    left = sum(0 if _is_here(model, file.name) else left_bytes(file, _folder(model)) for file in model.files)
    return FetchState(
        model=model,
        version=added.get(f"{model.name}@{model.version}"),
        is_running=_is_running(model),
        percent=100 * (model.size_bytes - left) // max(model.size_bytes, 1),
        problem=_problem(model),
    )


def _is_running(model: KnownModel) -> bool:
    thread = _running.get(model.name)
    if thread is not None:
        return thread.is_alive()
    parts = list(_folder(model).glob("*.part"))
    return any(time.time() - part.stat().st_mtime < _ALIVE_S for part in parts)


def _problem(model: KnownModel) -> str:
    try:
        return (_folder(model) / _PROBLEM).read_text(encoding="utf-8")
    except OSError:
        return ""


def _is_here(model: KnownModel, name: str) -> bool:
    return (_folder(model) / name).is_file()


def _folder(model: KnownModel) -> Path:
    return model_versions.models_dir() / model.name
