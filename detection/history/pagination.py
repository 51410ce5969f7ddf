"""Keyset pagination of the history: a page costs the same however deep it is, and new detections do not shift it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from detection.models import Detection

PAGE_SIZE = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(older|newer)-([0-9]{1,18})-([0-9]{1,18})")


class BadCursorError(ValueError):
    """The cursor in an address was not issued by a page of the history; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Position between two detections, and the direction in which to read on from there."""

    towards_newer: bool
    created_at: datetime
    detection_id: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the form of `str(cursor)`. Raises BadCursorError for anything else."""
        match = _CURSOR.fullmatch(text)
        try:
            if match is None:
                raise OverflowError(text)
            created_at = _EPOCH + timedelta(microseconds=int(match[2]))
        except OverflowError as error:
            message = _("This address of a page of the history is damaged. Start again from the newest detections.")
            raise BadCursorError(message) from error
        return cls(match[1] == "newer", created_at, int(match[3]))

    def __str__(self) -> str:
        microseconds = (self.created_at - _EPOCH) // timedelta(microseconds=1)
        return f"{'newer' if self.towards_newer else 'older'}-{microseconds}-{self.detection_id}"

    def beyond(self, place: tuple[str, str] = ("created_at", "id")) -> Q:
        """Return the condition for the detections past this cursor, in its direction.

        place: the fields of time and id that they are sorted by. It begins with a plain bound on the time, which
        databases look up in the index; the `or` alone makes them scan all rows before the cursor.
        """
        time, number = place
        past = "gt" if self.towards_newer else "lt"
        further = Q(**{f"{time}__{past}": self.created_at}) | Q(**{f"{number}__{past}": self.detection_id})
        return Q(**{f"{time}__{past}e": self.created_at}) & further


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Page of detections, newest first, and the cursors of the neighbouring pages (None where there is none)."""

    detections: tuple[Detection, ...]
    newer: Cursor | None
    older: Cursor | None


def page_of(detections: QuerySet[Detection], cursor: Cursor | None, size: int = PAGE_SIZE) -> HistoryPage:
    """Read one page of the given detections; reads one more than it shows to detect a next page."""
    # Where a filter uses the list entries, these hold the same values under the index that serves it.
    is_listed = "listed_at" in detections.query.annotations
    place = ("listed_at", "listed_id") if is_listed else ("created_at", "id")
    backwards = cursor is not None and cursor.towards_newer
    if cursor is not None:
        detections = detections.filter(cursor.beyond(place))
    order = place if backwards else tuple(f"-{name}" for name in place)
    rows = list(detections.order_by(*order)[: size + 1])
    more = len(rows) > size
    shown = rows[:size]
    if backwards:
        shown.reverse()
    has_newer = more if backwards else cursor is not None
    has_older = True if backwards else more
    return HistoryPage(
        tuple(shown),
        newer=_cursor_at(shown[0], towards_newer=True) if shown and has_newer else None,
        older=_cursor_at(shown[-1], towards_newer=False) if shown and has_older else None,
    )


def neighbours(detection: Detection, among: QuerySet[Detection]) -> tuple[Detection | None, Detection | None]:
    """Return the next newer and the next older of some detections; None where there is none."""
    newer, older = (
        page_of(among, _cursor_at(detection, towards_newer=towards_newer), 1).detections
        for towards_newer in (True, False)
    )
    return next(iter(newer), None), next(iter(older), None)


def _cursor_at(detection: Detection, *, towards_newer: bool) -> Cursor:
    return Cursor(towards_newer, detection.created_at, detection.pk)
