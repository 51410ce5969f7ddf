"""Kind of a review queue: its rows in order, and why a photo is in it.

Lists of everything are read from the list entries (`listed.py`). What has to be looked for is written as places
(`models.QueuePlace`), by whoever draws them (`learning/sampling.py`) or by a filler (`filling.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, QuerySet

from detection.i18n.class_titles import class_title
from detection.models import ListEntry, QueuePlace

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Answered:
    """Verdicts on a photo so far. judged: keys of the objects that have a verdict."""

    is_reviewed: bool
    judged: frozenset[str]


@dataclass(frozen=True, slots=True)
class QueueKind:
    """Kind of a queue.

    name: its `order` in addresses. about: what is in it, for people; empty: what to do where nothing is. rows: those
    of a class ("" for all), which have `detection` and `owner_id`. done: the field that tells whether people have said
    what it asks for. fields: of its order. reason: why a row is in it. asked: ranks of the objects of a row that want
    a verdict of their own. is_done: of its places.
    """

    name: str
    title: "StrOrPromise"
    about: "StrOrPromise"
    rows: Callable[[str], QuerySet[Any]]
    done: str
    fields: tuple[str, str]
    reason: Callable[[Any], str]
    is_descending: bool = False
    empty: "StrOrPromise" = ""
    asked: Callable[[Any], Sequence[int]] = lambda _row: ()
    is_done: Callable[[QueuePlace, Answered], bool] = lambda _place, answered: answered.is_reviewed


def of_places(
    name: str,
    title: "StrOrPromise",
    about: "StrOrPromise",
    reason: Callable[[QueuePlace], str],
    **more: Any,
) -> QueueKind:
    """Return a kind whose rows are places."""

    def rows(class_name: str) -> QuerySet[QueuePlace]:
        places = QueuePlace.objects.filter(queue=name)
        if not class_name:
            return places
        return places.filter(Exists(ListEntry.objects.filter(detection=OuterRef("detection"), class_name=class_name)))

    return QueueKind(
        name,
        title,
        about,
        more.pop("rows", rows),
        done="is_done",
        fields=("position", "detection_id"),
        reason=reason,
        **more,
    )


def counted(objects: Mapping[str, int]) -> str:
    """Return counts by class in words: "dog, 2 x cat"."""
    return ", ".join(
        class_title(name) if count == 1 else f"{count} \N{MULTIPLICATION SIGN} {class_title(name)}"
        for name, count in objects.items()
    )
