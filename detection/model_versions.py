"""Versions of models: taken in, tried, made the active one, removed. Files come from this machine's disk only."""

import logging
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from detection import serving
from detection.conf import BASE_DIR
from detection.inference.cards import CARD_NAME, ModelCard, read_card
from detection.inference.detector import Detector, load_detector
from detection.inference.errors import CheckpointError
from detection.inference.model_files import ModelSource
from detection.models import ModelVersion

logger = logging.getLogger(__name__)

SAMPLE_PHOTO = BASE_DIR / "static" / "detection" / "samples" / "chelsea.jpg"


class ModelVersionError(Exception):
    """What was asked for cannot be done with this version; the message says what to do."""


def add(folder: Path) -> ModelVersion:
    """Verify a folder with a model card, try the model, and copy it into DATA_DIR.

    Raises ModelVersionError when this version is there already, CheckpointError and EngineError when it cannot be used.
    """
    card = read_card(folder)
    card.verify_files()
    if ModelVersion.objects.filter(name=card.name, version=card.version).exists():
        raise ModelVersionError(
            f"{card.name}@{card.version} is there already. Remove it first, or give the card another version."
        )
    _try(folder)
    _copy(card, models_dir() / f"{card.name}@{card.version}")
    return ModelVersion.objects.create(
        name=card.name, version=card.version, sha256=card.sha256, folder=f"{card.name}@{card.version}"
    )


def find(reference: str) -> ModelVersion:
    """NAME@VERSION, or NAME for the version of it that was added last. Raises ModelVersionError."""
    name, _, version = reference.partition("@")
    rows = ModelVersion.objects.filter(name=name, **({"version": version} if version else {}))
    found = rows.order_by("-added_at", "-pk").first()
    if found is None:
        known = ", ".join(map(str, ModelVersion.objects.all())) or "none"
        raise ModelVersionError(
            f"There is no model {reference}. Known are: {known}. Add it with `manage.py model add`."
        )
    return found


def active() -> ModelVersion | None:
    """The version that answers by default; None where MODEL_PREFIX's model does. Raises django.db.Error."""
    return ModelVersion.objects.filter(is_active=True).first()


def activate(row: ModelVersion) -> None:
    """Try a version here and let it be the active one: every server changes to it within seconds.

    Raises CheckpointError and EngineError when it cannot be used; then the old one stays.
    """
    _require_unchanged(row)
    _try(folder_of(row))
    with transaction.atomic():
        # All rows in one order, so that of two who activate at once one comes after the other.
        list(ModelVersion.objects.select_for_update().order_by("pk"))
        ModelVersion.objects.filter(is_active=True).exclude(pk=row.pk).update(is_active=False)
        changed = ModelVersion.objects.filter(pk=row.pk).update(is_active=True, activated_at=timezone.now(), problem="")
        if not changed:
            raise ModelVersionError(f"{row} was removed meanwhile. Add it again.")


def remove(row: ModelVersion) -> None:
    """Delete a version and its files. Raises ModelVersionError when it is the active one."""
    with transaction.atomic():
        deleted, _ = ModelVersion.objects.filter(pk=row.pk, is_active=False).delete()
    if not deleted:
        raise ModelVersionError(f"{row} is active. Activate another version first.")
    shutil.rmtree(folder_of(row), ignore_errors=True)


def load(row: ModelVersion) -> Detector:
    """A version, loaded and tried on the sample photo. Raises CheckpointError and EngineError."""
    return load_tried(source_of(row).location)


def load_tried(folder: Path) -> Detector:
    """A model, loaded, warmed and tried on the sample photo. Raises CheckpointError and EngineError."""
    options = serving.detector_options(serving.config())
    detector = load_detector(replace(options, source=ModelSource(folder)))
    try:
        detector.try_on(SAMPLE_PHOTO.read_bytes())
    except BaseException:
        detector.close()
        raise
    return detector


def models_dir() -> Path:
    """Where versions are kept."""
    return serving.config().models_dir


def source_of(row: ModelVersion) -> ModelSource:
    """A version as it was added, without loading it. Raises CheckpointError when its card is gone or another one."""
    _require_unchanged(row)
    return ModelSource(folder_of(row))


def folder_of(row: ModelVersion) -> Path:
    """Where the files of a version are."""
    return models_dir() / row.folder


def _try(folder: Path) -> None:
    """Load, try and free a model, on the thread that is there for it."""

    def run() -> Detector:
        detector = load_tried(folder)
        detector.close()
        return detector

    serving.on_owner(run)


def _require_unchanged(row: ModelVersion) -> None:
    card = read_card(folder_of(row))
    if card.sha256 != row.sha256:
        raise CheckpointError(
            f"The card in {folder_of(row)} is not the one that was added as {row}. Remove the version and add it again."
        )


def _copy(card: ModelCard, target: Path) -> None:
    """The card, its files and the texts beside them; the folder appears complete. Raises ModelVersionError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as temporary:
            fresh = Path(temporary) / "model"
            fresh.mkdir()
            texts = [path.name for path in card.folder.iterdir() if path.name.startswith(("LICENSE", "PROVENANCE"))]
            for name in {CARD_NAME, *card.files, *texts}:
                shutil.copyfile(card.folder / name, fresh / name)
            # What a removal could not delete, or an addition that was cut off has left.
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
    except OSError as error:
        raise ModelVersionError(
            f"{target} cannot be written ({error.strerror}). Make room, or set DATA_DIR to a folder of your own."
        ) from error
