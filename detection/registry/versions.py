"""Lifecycle of model versions: added, tried, activated, removed. Files come from this machine's disk only.

Where none is active the model of MODEL_PREFIX answers.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from detection.conf import current
from detection.evaluation.annotations import AnnotatedPhoto
from detection.evaluation.card_check import CardCheck, OnStep, check_card
from detection.inference.cards.card import CARD_NAME, ModelCard, read_card
from detection.inference.cards.foreign import how_to_export
from detection.inference.detector import Detector, DetectorOptions, load_detector
from detection.inference.errors import CheckpointError
from detection.inference.files import require_regular
from detection.inference.model_files import ModelSource, name_and_version
from detection.inference.network import full_name
from detection.inference.text_files import SHORT_BYTES
from detection.models import ModelVersion
from detection.program import PROGRAM
from detection.serving import service as serving
from detection.serving.trial import SAMPLE_PHOTO, files_beside, try_model
from detection.webhooks import outbox

logger = logging.getLogger(__name__)


class ModelVersionError(Exception):
    """The operation is impossible with this version; the message says what to do."""


def add(folder: Path) -> ModelVersion:
    """Verify a folder with a model card, copy it into DATA_DIR, and try the copy, which is the one that will serve.

    Raises ModelVersionError when this version exists already, CheckpointError and EngineError when it cannot be used;
    then no copy is left.
    """
    card = read_card(folder)
    _require_usable("name", card.name, ModelVersion.NAME_LENGTH, folder)
    _require_usable("version", card.version, ModelVersion.VERSION_LENGTH, folder)
    if ModelVersion.objects.filter(name=card.name, version=card.version).exists():
        raise ModelVersionError(
            f"{card.name}@{card.version} is there already. Remove it first, or give the card another version."
        )
    target = models_dir() / f"{card.name}@{card.version}"
    with _copied(card, files_beside(_options(ModelSource(folder))), target) as copy:
        try_model(_options(ModelSource(copy)))
    return ModelVersion.objects.create(
        name=card.name, version=card.version, sha256=card.sha256, folder=f"{card.name}@{card.version}"
    )


def check(folder: Path, photos: Sequence[AnnotatedPhoto], on_step: OnStep) -> CardCheck:
    """Compare the card of a folder with its alternatives on annotated photos, in float32 on this machine.

    Raises DatasetError, CheckpointError and EngineError.
    """
    card = read_card(folder)
    card.verify_files()
    engine = serving.detector_options(current.config()).engine
    name = "auto" if engine.engine == "remote" else engine.engine
    return check_card(card, photos, replace(engine, engine=name, precision="f32", cache_dir=None), on_step)


def find(reference: str) -> ModelVersion:
    """Return NAME@VERSION, or for NAME the version of it that was added last. Raises ModelVersionError."""
    name, _, version = reference.partition("@")
    rows = ModelVersion.objects.filter(name=name, **({"version": version} if version else {}))
    found = rows.order_by("-added_at", "-pk").first()
    if found is None:
        if sentence := how_to_export(Path(reference)):
            raise ModelVersionError(sentence)
        known = ", ".join(map(str, ModelVersion.objects.all())) or "none"
        raise ModelVersionError(
            f"There is no model {reference}. Known are: {known}. Add it with `{PROGRAM} model add`."
        )
    return found


def active() -> ModelVersion | None:
    """Return the active version; None where MODEL_PREFIX's model answers. Raises django.db.Error."""
    return ModelVersion.objects.filter(is_active=True).first()


def activate(row: ModelVersion) -> None:
    """Try a version here and make it the active one: every server switches to it within seconds.

    The one before is noted: a server that cannot load the version when it starts goes on with that.

    Raises CheckpointError and EngineError when it cannot be used; then the old one stays.
    """
    try_model(_options(source_of(row)))
    with transaction.atomic():
        _lock_all()
        before = active()
        ModelVersion.objects.filter(is_active=True).exclude(pk=row.pk).update(is_active=False)
        values = {"is_active": True, "activated_at": timezone.now(), "problem": ""}
        if before != row:
            values["replaced"] = before
        if not ModelVersion.objects.filter(pk=row.pk).update(**values):
            raise ModelVersionError(f"The version {row} was removed meanwhile. Add it again.")
        outbox.activated(str(row), str(before or ""))


def configured_name() -> str:
    """Return NAME@VERSION of the model of MODEL_PREFIX, or NAME where it has no card. Raises CheckpointError."""
    return full_name(*name_and_version(_configured()))


def means_configured(reference: str) -> bool:
    """Return whether NAME or NAME@VERSION is the model of MODEL_PREFIX; an added version takes precedence."""
    try:
        find(reference)
    except ModelVersionError:
        name = configured_name()
        return reference in {name, name.partition("@")[0]}
    return False


def deactivate() -> None:
    """Try the model of MODEL_PREFIX here and deactivate all versions: every server goes back to it within seconds.

    Raises CheckpointError and EngineError when it cannot be used; then the active version stays.
    """
    try_model(_options(_configured()))
    with transaction.atomic():
        _lock_all()
        before = active()
        ModelVersion.objects.filter(is_active=True).update(is_active=False)
        outbox.activated("", str(before or ""))


def remove(row: ModelVersion) -> None:
    """Delete a version and its files. Raises ModelVersionError when it is the active one."""
    with transaction.atomic():
        deleted, _ = ModelVersion.objects.filter(pk=row.pk, is_active=False).delete()
    if not deleted:
        raise ModelVersionError(
            f"The version {row} is active. Activate another one first, or `{PROGRAM} model deactivate` it."
        )
    shutil.rmtree(folder_of(row), ignore_errors=True)


def try_out(row: ModelVersion, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Try a version in a process of its own, unless it passed before in this one. Raises the errors of `try_model`."""
    try_model(_options(source_of(row)), is_stopped=is_stopped)


def load(row: ModelVersion | None) -> Detector:
    """Load and warm a version here, None for the model of MODEL_PREFIX, and check it on the sample photo.

    Raises CheckpointError and EngineError.
    """
    detector = load_detector(_options(_configured() if row is None else source_of(row)))
    try:
        detector.run_sanity_check(SAMPLE_PHOTO.read_bytes())
    except BaseException:
        detector.close()
        raise
    return detector


def models_dir() -> Path:
    """Return the folder of versions."""
    return current.config().models_dir


def source_of(row: ModelVersion) -> ModelSource:
    """Return the source of an unchanged version, without loading it. Raises CheckpointError if its card is gone or
    changed.
    """
    card = read_card(folder_of(row))
    if card.sha256 != row.sha256:
        raise CheckpointError(
            f"The card in {folder_of(row)} is not the one that was added as {row}. Remove the version and add it again."
        )
    return ModelSource(folder_of(row))


def folder_of(row: ModelVersion) -> Path:
    """Return the folder of a version's files."""
    return models_dir() / row.folder


def _configured() -> ModelSource:
    return serving.configured_source(current.config())


def _options(source: ModelSource) -> DetectorOptions:
    return replace(serving.detector_options(current.config()), source=source)


def _lock_all() -> None:
    """Lock all rows in one order, so that concurrent changes of the active version run one after the other."""
    list(ModelVersion.objects.select_for_update().order_by("pk"))


def _require_usable(key: str, value: str, most: int, folder: Path) -> None:
    """Check the lengths of names against the table's columns, which not every database does."""
    if len(value) > most:
        raise ModelVersionError(f"{folder / CARD_NAME}: `{key}` may have at most {most} characters to be added.")


def _texts(folder: Path) -> list[str]:
    """Return the names of licence and provenance: short files of the folder itself. Others of such a name, a link to a
    file elsewhere for one, are left out; no hash vouches for them.
    """
    return [
        path.name
        for path in folder.iterdir()
        if path.name.startswith(("LICENSE", "PROVENANCE"))
        and path.is_file()
        and not path.is_symlink()
        and path.stat().st_size <= SHORT_BYTES
    ]


@contextmanager
def _copied(card: ModelCard, beside: Iterable[Path], target: Path) -> Iterator[Path]:
    """Copy the card, its files, texts and those `beside` them, and move them to `target` when the block has succeeded.

    So the folder appears complete and tried. Raises ModelVersionError when it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as temporary:
            fresh = Path(temporary) / "model"
            fresh.mkdir()
            for name in {CARD_NAME, *card.files, *_texts(card.folder), *(path.name for path in beside)}:
                require_regular(card.folder / name)
                shutil.copyfile(card.folder / name, fresh / name)
            yield fresh
            # Leftovers of a failed removal or an interrupted addition.
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
    except OSError as error:
        raise ModelVersionError(
            f"{target} cannot be written ({error.strerror}). Make room, or set DATA_DIR to a folder of your own."
        ) from error
