"""Admin lists over a million rows: filters served by one index, and bounded counts."""

import re
import uuid
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Protocol

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.history import counters
from detection.history.filters import DetectionFilter
from detection.history.selectors import engines_in_history, models_in_history
from detection.i18n.class_titles import class_title
from detection.models import Detection, Photo

MAX_COUNTED = 10_000


class BoundedPaginator(Paginator[Any]):
    """Paginator of the first MAX_COUNTED rows: counting a million takes longer than showing a page of them."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """Number of rows, MAX_COUNTED for all larger numbers."""
        return self.object_list.order_by()[:MAX_COUNTED].count()


class FilterPart(admin.SimpleListFilter):
    """Admin filter that `DetectionList` applies together with the others."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the queryset unchanged: all choices must hold for the same list entry
        (`detection/history/filters.py`).
        """
        return queryset

    def given(self) -> dict[str, str]:
        """Return the choice as parameters of `DetectionFilter`."""
        value = self.value()
        return {str(self.parameter_name): value} if value else {}


class ClassFilter(FilterPart):
    """Filter of detections that report an object of a class of any recorded model."""

    title = _("Class")
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the classes found so far."""
        return [(name, class_title(name)) for name in counters.class_names()]


class ReviewFilter(FilterPart):
    """Filter by review."""

    title = _("Review")
    parameter_name = "review"
    _GIVEN: ClassVar[dict[str, dict[str, str]]] = {
        "open": {"reviewed": "0"},
        "done": {"reviewed": "1"},
        "rejected": {"verdict": "rejected"},
        "changed": {"verdict": "changed"},
        "added": {"verdict": "added"},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states of a review, and the kinds of corrections."""
        return [
            ("open", _("Not reviewed")),
            ("done", _("Reviewed")),
            ("rejected", _("With a rejected object")),
            ("changed", _("With another class or box")),
            ("added", _("With an object that was missed")),
        ]

    def given(self) -> dict[str, str]:
        return self._GIVEN.get(self.value() or "", {})


class PeriodFilter(FilterPart):
    """Filter of detections since a day, in the server's time zone."""

    title = _("Time")
    parameter_name = "period"
    _DAYS: ClassVar[dict[str, int]] = {"day": 1, "week": 7, "month": 30, "year": 365}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return today, and longer periods."""
        return [
            ("day", _("Today")),
            ("week", _("Past 7 days")),
            ("month", _("Past 30 days")),
            ("year", _("Past 365 days")),
        ]

    def given(self) -> dict[str, str]:
        days = self._DAYS.get(self.value() or "")
        return {} if days is None else {"date_from": str(timezone.localdate() - timedelta(days=days - 1))}


class SourceFilter(FilterPart):
    """Filter by source of the photo."""

    title = _("Source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return all sources."""
        return list(Detection.Source.choices)


class EngineFilter(FilterPart):
    """Filter by engine."""

    title = _("Engine")
    parameter_name = "engine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the engines that have made detections."""
        return [(name, name) for name in engines_in_history()]


class ModelFilter(FilterPart):
    """Filter by model, of any version."""

    title = _("Model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the models that have made detections."""
        return [(name, name) for name in dict.fromkeys(name for name, _version in models_in_history())]


class BoundedList(ChangeList):
    """Change list whose pages come from a BoundedPaginator."""

    @property
    def found_text(self) -> str:
        """Return the number of rows, for the foot of the list."""
        if self.result_count < MAX_COUNTED:
            return f"{self.result_count:,}"
        return gettext("%(count)s or more") % {"count": f"{MAX_COUNTED:,}"}


class DetectionList(BoundedList):
    """Change list of detections, with all its filters as one condition."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Return the filters, applied already, because the order of the list follows from them."""
        found = super().get_filters(request)
        given: dict[str, str] = {}
        for part in found[0]:
            if isinstance(part, FilterPart):
                given |= part.given()
        self.root_queryset = DetectionFilter(given, self.root_queryset).qs
        return found

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Order by time, as `history.page_of`: filtered entries by their own, which is that of the index."""
        ordering = super().get_ordering(request, queryset)
        if "listed_at" not in queryset.query.annotations:
            return list(ordering)
        is_ascending = "created_at" in ordering
        return ["listed_at", "listed_id"] if is_ascending else ["-listed_at", "-listed_id"]


MAX_PHOTOS = 1_000


DETECTIONS_HELP = _("How the photo's name begins, the detection's id, the photo's hash, or the model's name")


PHOTOS_HELP = _("How the photo's name begins, its id or its hash")


_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class _Admin(Protocol):
    """Parts of a ModelAdmin that a search needs."""

    def message_user(self, request: HttpRequest, message: str, level: int) -> None: ...


def _matching(text: str) -> Q:
    """Return the photos of that id or hash, or whose names begin so, ignoring case."""
    if identity := _as_uuid(text):
        return Q(uuid=identity)
    if _SHA256.fullmatch(text):
        return Q(sha256=text.lower())
    return Q(original_name__istartswith=text)


def photos(admin: _Admin, request: HttpRequest, listed: QuerySet[Photo], text: str) -> QuerySet[Photo]:
    """Search the list of photos; return all of it for an empty text."""
    return listed.filter(pk__in=_found(admin, request, text)) if text else listed


def detections(admin: _Admin, request: HttpRequest, listed: QuerySet[Detection], text: str) -> QuerySet[Detection]:
    """Search the list of detections: those of a model for its full name, else those of matching photos."""
    if not text:
        return listed
    if any(text == name for name, _version in models_in_history()):
        return listed.filter(model_name=text)
    if identity := _as_uuid(text):
        return listed.filter(uuid=identity)
    return listed.filter(photo__in=_found(admin, request, text))


def _found(admin: _Admin, request: HttpRequest, text: str) -> list[int]:
    """Return the photos' primary keys. Of very many only the first ones: sorting them would take seconds."""
    found = list(Photo.objects.filter(_matching(text)).order_by().values_list("pk", flat=True)[: MAX_PHOTOS + 1])
    if len(found) > MAX_PHOTOS:
        text = gettext("More than %(count)s photos match, and the others are not shown. Type more of the name.")
        admin.message_user(request, text % {"count": f"{MAX_PHOTOS:,}"}, messages.WARNING)
    return found[:MAX_PHOTOS]


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
