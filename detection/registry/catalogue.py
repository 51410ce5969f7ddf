"""Catalogue of models, read without loading them: from memory where they are loaded, else from their files."""

import logging
from collections.abc import Iterator
from contextlib import suppress

from django.db import Error
from django.db.models import QuerySet

from detection.conf import current
from detection.history.selectors import ModelKey, models_in_history
from detection.inference.cards.card import ModelCard, read_card
from detection.inference.errors import CheckpointError
from detection.inference.model_files import ModelSource, card_threshold, classes_of, name_and_version
from detection.inference.network import full_name
from detection.models import Detection
from detection.program import PROGRAM
from detection.registry import versions as model_versions
from detection.serving import points
from detection.serving import service as serving
from detection.serving.locations import find_folder, installed_folders, model_folder

logger = logging.getLogger(__name__)


def default_source() -> ModelSource:
    """Return the source of the default model: the active version, else MODEL_PREFIX's.

    Where the database is unavailable (or has no tables yet) also MODEL_PREFIX's, and the log says so. Raises
    CheckpointError when the files of the active version have changed.
    """
    configured = serving.configured_source(current.config())
    try:
        row = model_versions.active()
    except Error as error:
        logger.warning(
            "Whether a version of a model is active is not known, so MODEL_PREFIX's is used. Run `%s migrate` "
            "if the database is new, else look at it: %s",
            PROGRAM,
            error,
        )
        return configured
    if row is None:
        return configured
    try:
        return model_versions.source_of(row)
    except CheckpointError as error:
        raise CheckpointError(
            f"{row} is active, and cannot be used here: {error} Or let another version answer with "
            f"`{PROGRAM} model activate`."
        ) from error


def use_points() -> None:
    """Answer by the active operating points in this process, which is not a server; without a database by none."""
    # That the database cannot tell is logged by `default_source`.
    with suppress(Error):
        points.refresh()


def find_model(reference: str) -> ModelSource:
    """Return the source of a model: NAME or NAME@VERSION of its card, or the name of its folder.

    NAME is the default model, if that has the name (as for `?model=`), else MODEL_PREFIX's, else that of
    the folder NAME in DATA_DIR/models or `models`. Raises CheckpointError.
    """
    for source in _named():
        if reference in {name_and_version(source)[0], full_name_of(source)}:
            return source
    folder = find_folder(current.config(), reference, None)
    if folder is None:
        raise CheckpointError(
            f"There is no model {reference}. Use one of {', '.join(_references())}, or add it with "
            f"`{PROGRAM} model add`."
        )
    return ModelSource(folder)


def require_model(name: str) -> None:
    """Raise UnknownModelError when there is no model of that name."""
    if name and serving.resident_network(name) is None:
        model_folder(current.config(), name)


def default_threshold(model: str = "") -> float:
    """Return the probability above which a model, "" for the default, reports objects by default; with an operating
    point, that of its classes without one of their own.

    Raises UnknownModelError and CheckpointError.
    """
    found = serving.resident_network(model)
    name, version = name_and_version(_source(model)) if found is None else (found.name, found.version)
    if (point := points.active(name, version)) is not None:
        return point.thresholds.rest
    configured = current.config().probability_more
    if configured is not None:
        return configured
    return card_threshold(_source(model)) if found is None else found.threshold


def default_model() -> tuple[str, str]:
    """Return name and version of the default model. Raises CheckpointError."""
    found = serving.active_model()
    return name_and_version(_source("")) if found is None else (found.name, found.version)


def full_name_of(source: ModelSource) -> str:
    """Return `Network.full_name` without loading the model. Raises CheckpointError."""
    return full_name(*name_and_version(source))


def model_classes() -> tuple[str, ...]:
    """Return the classes of the default model, in its order. Raises CheckpointError."""
    found = serving.active_model()
    return classes_of(_source("")) if found is None else found.classes


def classes_of_models(detections: QuerySet[Detection]) -> tuple[str, ...]:
    """Return the classes of all models that made these detections, each once, in the order of the models.

    The default model comes first, the others by name and version; it alone where there is no detection.
    A model whose files are gone adds nothing. Raises CheckpointError when the default one cannot be read.
    """
    chosen = detections.order_by()
    made_by = {
        (name, version)
        for name, version in models_in_history()
        if chosen.filter(model_name=name, model_version=version).exists()
    }
    default = default_model()
    if not made_by:
        return model_classes()
    known = {**dict(_installed()), default: model_classes()}
    ordered = sorted(made_by & known.keys(), key=lambda model: (model != default, model))
    return tuple(dict.fromkeys(name for model in ordered for name in known[model]))


def _source(name: str) -> ModelSource:
    config = current.config()
    return ModelSource(model_folder(config, name)) if name else default_source()


def _references() -> list[str]:
    """Return each name that `find_model` takes, once."""
    named = (name for source in _named() for name in (name_and_version(source)[0], full_name_of(source)))
    folders = (folder.name for folder in installed_folders(current.config()))
    cards = (f"{card.name}@{card.version}" for card in _cards())
    return list(dict.fromkeys((*named, *folders, *cards)))


def _named() -> Iterator[ModelSource]:
    """Yield the default model and MODEL_PREFIX's. A missing active version does not prevent finding the others."""
    with suppress(CheckpointError):
        yield default_source()
    yield serving.configured_source(current.config())


def _installed() -> Iterator[tuple[ModelKey, tuple[str, ...]]]:
    """Yield name and version of every readable model, and its classes."""
    with suppress(CheckpointError):
        configured = serving.configured_source(current.config())
        yield name_and_version(configured), classes_of(configured)
    yield from (((card.name, card.version), card.classes) for card in _cards())


def _cards() -> Iterator[ModelCard]:
    for folder in installed_folders(current.config()):
        # A model with an unreadable card is an error for its users only; its detections keep their names.
        with suppress(CheckpointError):
            yield read_card(folder)
