"""Actions on selected photos. Each kind works on a chunk of detections at a time, and may be repeated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from detection.accounts.access import Caller
from detection.bulk import redetect
from detection.gallery import albums
from detection.history import trash
from detection.models import Album, AlbumPhoto, BulkAction, Detection, Review
from detection.registry import catalogue
from detection.review import service as review_service
from detection.review.service import Reviewer
from detection.serving import service as serving

Work = Callable[[BulkAction, Sequence[Detection]], int]
"""Does something to a chunk; returns how many of it could not be done."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of action.

    chunk: detections in a step. prepare: checks and completes its parameters. is_slow: its work takes long and may be
    repeated, so it is done outside of the transaction that writes the progress.
    """

    work: Work
    chunk: int = 200
    is_slow: bool = False
    prepare: Callable[[Mapping[str, Any], Caller], dict[str, Any]] = lambda _given, _caller: {}


def _delete(action: BulkAction, detections: Sequence[Detection]) -> int:
    trash.remove_all(detections, action)
    return 0


def _put_into_album(action: BulkAction, detections: Sequence[Detection]) -> int:
    album = Album.objects.get(uuid=action.params["album"])
    rows = [AlbumPhoto(album=album, detection=detection) for detection in detections]
    AlbumPhoto.objects.bulk_create(rows, ignore_conflicts=True)
    return 0


def _take_from_album(action: BulkAction, detections: Sequence[Detection]) -> int:
    AlbumPhoto.objects.filter(album__uuid=action.params["album"], detection__in=detections).delete()
    return 0


def _send_to_review(action: BulkAction, detections: Sequence[Detection]) -> int:
    """Put the photos into the album that is to be reviewed, and open finished reviews again."""
    done = Review.objects.filter(detection__in=detections, is_reviewed=True).select_related("detection")
    reviewer = Reviewer(action.owner_id, action.owner.get_username()) if action.owner else Reviewer()
    failed = 0
    for review in done:
        try:
            review_service.judge(review.detection, review.version, (), reviewer, reviewed=False)
        except review_service.ConflictError:
            # Somebody is at it this very moment.
            failed += 1
    _put_into_album(action, detections)
    return failed


def _detect_again(action: BulkAction, detections: Sequence[Detection]) -> int:
    asked = serving.ask(action.params["model"])
    return redetect.detect_photos_of(detections, asked)


def _album(given: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Return the album: an old one by its id, or a new one by its name."""
    if name := str(given.get("name", "")).strip():
        return {"album": str(albums.create(name, caller).uuid)}
    return {"album": str(albums.find(given.get("album"), caller).uuid)}


def _new_review(_given: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    when = timezone.localtime()
    name = gettext("For review, %(day)s") % {"day": f"{when:%Y-%m-%d %H:%M}"}
    return {"album": str(albums.create(name, caller).uuid)}


def _model(given: Mapping[str, Any], _caller: Caller) -> dict[str, Any]:
    model = str(given.get("model", ""))
    catalogue.require_model(model)
    return {"model": model}


KINDS: Mapping[str, Kind] = {
    "delete": Kind(_delete, chunk=500),
    "album": Kind(_put_into_album, chunk=1000, prepare=_album),
    "unalbum": Kind(_take_from_album, chunk=1000, prepare=_album),
    "review": Kind(_send_to_review, prepare=_new_review),
    "redetect": Kind(_detect_again, chunk=8, is_slow=True, prepare=_model),
}
