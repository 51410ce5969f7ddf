"""States of a batch and of its photos, as plain values."""

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
    """Announced photo: the caller's name for it, and its size."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ItemState:
    """State of an item, for pages and programs.

    state: a value of `BatchItem.State`, or DETECTING, which is announced but never stored: after a crash it would be
    wrong. error: a `Sentence` where it has a code, which pages translate. counts: reported objects per class, the
    most probable first.
    """

    position: int
    state: str
    error: str = ""
    detection_uuid: UUID | None = None
    counts: Mapping[str, int] | None = None

    @property
    def summary(self) -> str:
        """Return the objects, or the reason for none, in the language of the reader."""
        if self.state != BatchItem.State.DONE:
            return in_language(self.error)
        if self.detection_uuid is None:
            return _("The detection was deleted.")
        return counts_text(self.counts or {})

    def as_json(self) -> dict[str, Any]:
        """Return the form for sockets and the API."""
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
    """State of a batch."""

    photos: int
    done: int
    failed: int
    objects: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Photos without a file, or without an answer."""
        return self.photos - self.done - self.failed
