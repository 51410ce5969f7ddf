"""The state of a batch and of each of its photos, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from detection.history.presentation import counts_text
from detection.i18n.error_messages import in_language
from detection.models import BatchItem

DETECTING = "detecting"


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A photo that will be sent: the caller's name for it, and its size."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ItemState:
    """What pages and programs are told of an item.

    state: a value of `BatchItem.State`, or DETECTING, which is announced but never stored: after a crash it would be
    untrue. counts: reported objects per class, the most probable first.
    """

    position: int
    state: str
    error: str = ""
    detection_uuid: UUID | None = None
    counts: Mapping[str, int] | None = None

    @property
    def summary(self) -> str:
        """What was found, or why nothing, in the language of the reader."""
        if self.state != BatchItem.State.DONE:
            return in_language(self.error)
        if self.detection_uuid is None:
            return _("The detection was deleted.")
        return counts_text(self.counts or {})

    def as_json(self) -> dict[str, Any]:
        """The form in which sockets and the API tell it."""
        return {
            "position": self.position,
            "state": self.state,
            "error": self.error,
            "detection": None if self.detection_uuid is None else str(self.detection_uuid),
            "summary": self.summary,
            "objects": dict(self.counts or {}),
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """How a batch stands."""

    photos: int
    done: int
    failed: int
    objects: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Photos whose file has not come in, or was not answered."""
        return self.photos - self.done - self.failed
