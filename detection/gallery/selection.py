"""Selections: photos by their ids, or all that match filters but for some, also those that are not on the screen."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext

from detection.accounts.access import Caller
from detection.errors import RequestError
from detection.history.filters import DetectionFilter
from detection.history.selectors import visible_detections
from detection.models import Detection

MAX_IDS = 10_000


def parse(value: Any) -> dict[str, Any]:
    """Return a selection as an action keeps it: {"ids": [...]}, or {"query", "except", "last_id"}.

    last_id: what arrives later is not selected. Raises RequestError.
    """
    if not isinstance(value, dict):
        raise RequestError(gettext("Select photos first."))
    if "query" in value:
        last_id = Detection.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return {"query": str(value["query"])[:4000], "except": _ids(value.get("except", [])), "last_id": last_id}
    ids = _ids(value.get("ids"))
    if not ids:
        raise RequestError(gettext("Select photos first."))
    return {"ids": ids}


def _ids(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_IDS:
        raise RequestError(gettext("Select %(count)s photos at most, or all that match.") % {"count": MAX_IDS})
    try:
        return [str(UUID(one)) for one in value]
    except (ValueError, TypeError, AttributeError) as error:
        raise RequestError(gettext("The selection is damaged. Open the page again.")) from error


def detections_of(selection: Mapping[str, Any], caller: Caller) -> QuerySet[Detection]:
    """Return the selected detections that the caller may see. Raises RequestError for filters that cannot be read."""
    visible = visible_detections(caller)
    if "ids" in selection:
        return visible.filter(uuid__in=selection["ids"])
    found = DetectionFilter(QueryDict(selection["query"]), visible)
    if not found.is_valid():
        raise RequestError(gettext("The selection is damaged. Open the page again."))
    matching: QuerySet[Detection] = found.qs.filter(pk__lte=selection["last_id"])
    return matching.exclude(uuid__in=selection["except"]) if selection["except"] else matching
