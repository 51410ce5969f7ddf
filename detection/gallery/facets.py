"""Counts beside the gallery: how many photos match, and how many there are of each class. Bounded, so always quick."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet
from django.http import QueryDict

from detection.accounts.access import Caller, limits
from detection.history.addresses import list_url
from detection.i18n.class_titles import class_title
from detection.models import Detection, ListEntry
from detection.statistics.queries import Scope, objects_by_class

# As many as a database counts in milliseconds, also where each has to be looked up.
MAX_COUNTED = 1_000
MAX_CLASSES = 12


@dataclass(frozen=True, slots=True)
class ClassFacet:
    """Class that is found among the photos; count: its photos, or, where all are shown, its objects."""

    name: str
    title: str
    count: int
    url: str


def count_of(detections: QuerySet[Detection]) -> int:
    """Count the photos; MAX_COUNTED + 1 for all larger numbers, which would take long to count."""
    return detections.order_by()[: MAX_COUNTED + 1].count()


def classes_of(detections: QuerySet[Detection], count: int, filters: QueryDict, caller: Caller) -> list[ClassFacet]:
    """Return the most frequent classes of the photos that match; none where these are too many to count theirs.

    count: of `count_of`. Without filters the counts are those of the whole history's objects.
    """
    if not filters:
        counts = dict(objects_by_class(Scope(owner_id=limits(caller))).most_common(MAX_CLASSES))
    elif count <= MAX_COUNTED:
        counts = _counted(detections)
    else:
        return []
    chosen = filters.getlist("class")
    return [
        ClassFacet(name, class_title(name), number, list_url(_with(filters, name)))
        for name, number in counts.items()
        if name not in chosen and number > 0
    ]


def _counted(detections: QuerySet[Detection]) -> dict[str, int]:
    keys = list(detections.order_by().values_list("pk", flat=True)[:MAX_COUNTED])
    rows = ListEntry.objects.filter(detection__in=keys, highest__gt=0).exclude(class_name="").order_by()
    counted = rows.values_list("class_name").annotate(count=Count("pk")).order_by("-count", "class_name")
    return dict(counted[: MAX_CLASSES + 1])


def _with(filters: QueryDict, class_name: str) -> QueryDict:
    more = filters.copy()
    more.appendlist("class", class_name)
    return more
