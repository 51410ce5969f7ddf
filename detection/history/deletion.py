"""Permanent deletion: rows, then the photo's file if unused."""

from functools import partial

from django.db import Error, transaction

from detection.errors import StorageUnavailableError
from detection.history import indexing
from detection.inference.messages import Message, gettext_noop
from detection.models import Detection, Photo
from detection.photos import store as photo_store

NOT_DELETED = Message(
    "detection_not_deleted",
    gettext_noop("The detection could not be deleted: the database cannot be written now. Try again later."),
)


def delete_detection(detection: Detection) -> None:
    """Delete a detection, its photo when no other detection has it, and the file when no other photo has it.

    The file goes only after the deletion is committed, also within the caller's transaction. Raises
    StorageUnavailableError; then nothing was deleted.
    """
    try:
        with transaction.atomic():
            # Locked, so that of two concurrent deletions of a photo's last two detections, one sees that it was the
            # last.
            photo = Photo.objects.select_for_update().filter(pk=detection.photo_id).first()
            indexing.remove(Detection.objects.filter(pk=detection.pk))
            detection.delete()
            if photo is not None and not photo.detections.exists():
                photo.delete()
                transaction.on_commit(partial(photo_store.discard_unused, photo.file), robust=True)
    except Error as error:
        raise StorageUnavailableError(NOT_DELETED()) from error
