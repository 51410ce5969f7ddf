"""What is known of models without loading them: from memory where they are loaded, else from their files."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.db.models import QuerySet

from detection import serving
from detection.conf import BASE_DIR
from detection.inference.cards import has_card, read_card
from detection.inference.errors import CheckpointError
from detection.inference.model_files import ModelSource, card_threshold, classes_of, name_and_version
from detection.models import Detection
from detection.resident_models import model_folder

_Model = tuple[str, str]


def find_model(reference: str) -> ModelSource:
    """Where a model is: the name of the one that is configured, or of a folder with a card (NAME, or NAME@VERSION).

    Folders are looked for in DATA_DIR/models and in `models`. Raises CheckpointError.
    """
    configured = serving.model_source(serving.config())
    name, version = name_and_version(configured)
    if reference in {name, f"{name}@{version}"}:
        return configured
    folders = {folder.name: folder for folder in _folders()}
    if reference not in folders:
        known = ", ".join(dict.fromkeys([name, *folders]))
        raise CheckpointError(
            f"There is no model {reference}. Use one of {known}, or add it with `manage.py model add`."
        )
    return ModelSource(folders[reference])


def require_model(name: str) -> None:
    """Raises UnknownModelError when no model answers to that name."""
    if name and serving.resident_network(name) is None:
        model_folder(serving.config(), name)


def default_threshold(model: str = "") -> float:
    """Above which probability a model, "" for the default, reports objects where its caller says nothing.

    Raises UnknownModelError and CheckpointError.
    """
    configured = serving.config().probability_more
    if configured is not None:
        return configured
    found = serving.resident_network(model)
    return card_threshold(_source(model)) if found is None else found.threshold


def default_model() -> tuple[str, str]:
    """Name and version of the model that answers by default. Raises CheckpointError."""
    found = serving.active_model()
    return name_and_version(_source("")) if found is None else (found.name, found.version)


def model_classes() -> tuple[str, ...]:
    """The classes of the model that answers by default, in its order. Raises CheckpointError."""
    found = serving.active_model()
    return classes_of(_source("")) if found is None else found.classes


def classes_of_models(detections: QuerySet[Detection]) -> tuple[str, ...]:
    """The classes of all models that made these detections, each once, in the order of the models.

    The model that answers by default comes first, the others by name and version; it alone where there is no detection.
    A model whose files are gone adds nothing. Raises CheckpointError when the configured model cannot be read.
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


def models_in_history() -> list[_Model]:
    """Name and version of all that made detections: one look into the index for each, not one for each detection."""
    models = Detection.objects.order_by("model_name", "model_version").values_list("model_name", "model_version")
    found: list[_Model] = []
    following = models.first()
    while following is not None:
        found.append(following)
        name, version = following
        other_version = models.filter(model_name=name, model_version__gt=version).first()
        following = other_version or models.filter(model_name__gt=name).first()
    return found


def _source(name: str) -> ModelSource:
    config = serving.config()
    return ModelSource(model_folder(config, name)) if name else serving.model_source(config)


def _installed() -> Iterator[tuple[_Model, tuple[str, ...]]]:
    """Name and version of every model with a readable card, and its classes."""
    for folder in _folders():
        # Whoever wants to use such a model is told; here its detections keep the names that they have.
        with suppress(CheckpointError):
            card = read_card(folder)
            yield (card.name, card.version), card.classes


def _folders() -> Iterator[Path]:
    for parent in (BASE_DIR / "models", serving.config().models_dir):
        if parent.is_dir():
            yield from (folder for folder in sorted(parent.iterdir()) if has_card(folder))
