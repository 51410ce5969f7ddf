"""Filters of lists in addresses: taken out of a query string, and written into the links between list and photos."""

from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from detection.history.filters import DetectionFilter
from detection.history.pagination import Cursor
from detection.models import Detection

FILTERS = tuple(DetectionFilter.base_filters)
SEVERAL = ("class", "not_class")
_DAYS = ("date_from", "date_to")


def filters_in(query: QueryDict) -> QueryDict:
    """Return the filters of an address alone, without empty ones."""
    filters = QueryDict(mutable=True)
    for name in FILTERS:
        given = [value for value in query.getlist(name) if value]
        if given:
            filters.setlist(name, given if name in SEVERAL else given[-1:])
    return filters


def query_string(filters: QueryDict, **more: str) -> str:
    """Return filters as a query string, in a fixed order; a zone only where there are days."""
    pairs = [(name, value) for name in FILTERS for value in filters.getlist(name)]
    if not any(filters.getlist(name) for name in _DAYS):
        pairs = [(name, value) for name, value in pairs if name != "zone"]
    return urlencode([*pairs, *((name, value) for name, value in more.items() if value)])


def list_url(filters: QueryDict, **more: str) -> str:
    """Return the address of the list with these filters."""
    query = query_string(filters, **more)
    return reverse("history") + (f"?{query}" if query else "")


def among(filters: QueryDict) -> str:
    """Return what a link to a photo ends with, so that it is shown among those that match; empty for all photos."""
    query = query_string(filters)
    return f"?{query}" if query else ""


def place_of(detection: Detection) -> str:
    """Return the cursor of the page that begins with this detection."""
    return str(Cursor(towards_newer=False, created_at=detection.created_at, detection_id=detection.pk + 1))


def matching(filters: QueryDict, detections: QuerySet[Detection], request: HttpRequest) -> QuerySet[Detection]:
    """Return those of the detections that match; all where the filters cannot be read."""
    found = DetectionFilter(filters, detections, request=request)
    return found.qs if found.is_valid() else detections
