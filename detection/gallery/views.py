"""Pages of the gallery: the photos that match, in one endless list, and what can be done with several of them."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import Caller, caller_of, limits
from detection.errors import RequestError
from detection.exports.registry import export_formats
from detection.gallery import address, albums, facets, items, jobs
from detection.history import addresses, counters, photo_names, trash
from detection.history.addresses import list_url, query_string
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor, HistoryPage, page_of
from detection.history.selectors import models_in_history, visible_detections
from detection.i18n.class_titles import class_title
from detection.models import BulkAction, Detection
from detection.registry import listing
from detection.web.query import parse_whole
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error

PAGE_SIZE, MAX_PAGE_SIZE = 60, 200
MAX_ALBUMS = 200
# Filters of the address that the form has no field for, or several values of.
_KEPT = ("class", "not_class", "name", "album", "batch", "engine", "max_probability", "shadow", "blind")
FILTER_LABELS = {
    "class": gettext_lazy("Object"),
    "not_class": gettext_lazy("Object"),
    "min_probability": gettext_lazy("Probability"),
    "max_probability": gettext_lazy("Probability"),
    "name": gettext_lazy("Name"),
    "reviewed": gettext_lazy("Review"),
    "date_from": gettext_lazy("From"),
    "date_to": gettext_lazy("To"),
}


@ensure_csrf_cookie
@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Show the photos that match the address, newest first; the script goes on from there."""
    caller = caller_of(request.user)
    filters = address.filters_of(request.GET, caller)
    if "words" in request.GET:
        return HttpResponseRedirect(list_url(_said(filters)))
    try:
        page = _page(request, filters)
    except (RequestError, BadCursorError) as error:
        return _render(request, caller, filters, error=RequestError(str(error)))
    if request.GET.get("cursor") and not page.detections:
        return HttpResponseRedirect(list_url(filters))
    return _render(request, caller, filters, page)


@require_safe
def photos(request: HttpRequest) -> JsonResponse:
    """Return a page of photos for the script: with their filters, and with `counted=1` the number of all that match."""
    caller = caller_of(request.user)
    filters = address.filters_of(request.GET, caller)
    try:
        size = parse_whole(request.GET, "count", PAGE_SIZE, 1, MAX_PAGE_SIZE)
        page = _page(request, filters, size)
    except (RequestError, BadCursorError) as error:
        return JsonResponse({"error": str(error)}, status=400)
    body = {**_page_body(page), "query": query_string(filters)}
    if "counted" in request.GET:
        body["total"] = facets.count_of(_matching(caller, filters, request))
    return JsonResponse(body)


@require_POST
def restore_detection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Undo a deletion, then show the detection."""
    caller = caller_of(request.user)
    removal = get_object_or_404(trash.of(caller), detection__uuid=uuid)
    try:
        trash.restore(removal)
    except ANSWERED_ERRORS as error:
        return _render(request, caller, QueryDict(), error=error)
    messages.success(request, gettext("The detection is back."))
    return HttpResponseSeeOther(removal.detection.get_absolute_url())


def _said(filters: QueryDict) -> QueryDict:
    """Return the filters of the form without a slider that lies at its beginning, where it says nothing."""
    said = filters.copy()
    if said.get("min_probability") == "0":
        del said["min_probability"]
    return said


def _matching(caller: Caller, filters: QueryDict, request: HttpRequest) -> QuerySet[Detection]:
    """Return the detections that match. Raises RequestError for filters that cannot be read."""
    found = DetectionFilter(filters, visible_detections(caller), request=request)
    if not found.is_valid():
        raise RequestError(_sentence(found))
    return found.qs


def _page(request: HttpRequest, filters: QueryDict, size: int = PAGE_SIZE) -> HistoryPage:
    """Return the page of the address. Raises RequestError and BadCursorError."""
    cursor = Cursor.parse(request.GET["cursor"]) if request.GET.get("cursor") else None
    matching = _matching(caller_of(request.user), filters, request)
    return page_of(items.with_everything(matching), cursor, size)


def _page_body(page: HistoryPage) -> dict[str, object]:
    return {
        "photos": [items.item_body(one) for one in items.items_of(page.detections)],
        "newer": page.newer and str(page.newer),
        "older": page.older and str(page.older),
    }


def _render(
    request: HttpRequest,
    caller: Caller,
    filters: QueryDict,
    page: HistoryPage | None = None,
    *,
    error: Exception | None = None,
) -> HttpResponse:
    shown = page or HistoryPage((), None, None)
    matching = None if page is None else _matching(caller, filters, request)
    count = 0 if matching is None else facets.count_of(matching)
    classes = _known_classes(caller)
    models = list(dict.fromkeys(name for name, _version in models_in_history()))
    context = {
        "items": items.items_of(shown.detections),
        "gallery": _page_body(shown),
        "count": count,
        "is_more": count > facets.MAX_COUNTED,
        "max_counted": facets.MAX_COUNTED,
        "text": request.GET.get("q", ""),
        "kept": [(name, value) for name in _KEPT for value in request.GET.getlist(name) if value],
        "suggestions": _suggestions(classes, models),
        "query": query_string(addresses.filters_in(request.GET)),
        "found": query_string(filters),
        "among": addresses.among(filters),
        "filters": filters,
        "chosen": {name: filters.get(name, "") for name in FILTER_LABELS},
        "chips": [] if page is None else address.chips_of(filters, caller),
        "facets": [] if matching is None else facets.classes_of(matching, count, filters, caller),
        "classes": classes,
        "models": models,
        "sources": Detection.Source.choices,
        "verdicts": address.VERDICT_TEXTS.items(),
        "filtered": bool(filters),
        "only_beginnings": bool(filters.get("name")) and not photo_names.has_index(),
        "removed": trash.of(caller).filter(action=None)[: trash.SHOWN_COUNT],
        "removed_together": jobs.deletions(caller)[: trash.SHOWN_COUNT],
        "running": [str(one.uuid) for one in jobs.visible_actions(caller).filter(state=BulkAction.State.RUNNING)[:3]],
        "formats": export_formats().values(),
        "model_choices": [reference for reference, _model in listing.references()],
        **_albums(caller, filters),
        "undo_minutes": trash.UNDO_MINUTES,
        "newer_url": shown.newer and list_url(filters, cursor=str(shown.newer)),
        "older_url": shown.older and list_url(filters, cursor=str(shown.older)),
    }
    return render_with_error(request, "detection/gallery/gallery.html", context, error)


def _known_classes(caller: Caller) -> list[tuple[str, str]]:
    """Return the classes of all reported objects, including those of former models, each with its title."""
    names = counters.class_names(limits(caller))
    return sorted(((name, class_title(name)) for name in names), key=itemgetter(1))


def _albums(caller: Caller, filters: QueryDict) -> dict[str, Any]:
    """Return albums and saved views, and which of them is shown."""
    known = list(albums.visible_albums(caller)[:MAX_ALBUMS])
    query = query_string(filters)
    return {
        "albums": [one for one in known if not one.query],
        "views": [one for one in known if one.query],
        "album": next((one for one in known if query == f"album={one.uuid}"), None),
        "view": next((one for one in known if one.query and one.query == query), None),
    }


def _suggestions(classes: Sequence[tuple[str, str]], models: Sequence[str]) -> list[dict[str, str]]:
    """Return what the search field suggests: classes, then words, models and sources."""
    words = [gettext("reviewed"), gettext("not reviewed"), gettext("today"), gettext("yesterday")]
    keys = [*(f"model:{name}" for name in models), *(f"source:{value}" for value in Detection.Source.values)]
    return [*({"text": title, "class": name} for name, title in classes), *({"text": text} for text in (*words, *keys))]


def _sentence(filters: DetectionFilter) -> str:
    name, errors = next(iter(filters.form.errors.items()))
    problem = {"field": FILTER_LABELS.get(name, name), "problem": errors[0]}
    return gettext("%(field)s: %(problem)s Change it, then press Show.") % problem
