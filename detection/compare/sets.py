"""Page that compares two models over a set: the photos that filters of the gallery find, an album, or a batch."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from detection.accounts import throttling
from detection.accounts.access import Caller, caller_of
from detection.compare import figures, votes
from detection.compare.pairs import Pair, pair_body
from detection.compare.window import MAX_LOOKED_AT, MAX_PAIRS, ModelName, Window, window_of
from detection.errors import RequestError, ThrottledError
from detection.evaluation.class_names import common_classes, common_name
from detection.gallery import address
from detection.history import addresses
from detection.history.addresses import list_url, query_string
from detection.history.filters import DetectionFilter
from detection.history.pagination import BadCursorError, Cursor
from detection.history.selectors import models_in_history, visible_detections
from detection.inference.network import full_name
from detection.registry import listing
from detection.web.responses import render_with_error

PAGE_SIZE = 60
SHOWN = ("a", "b", "differ", "agree")


@ensure_csrf_cookie
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Compare the models `a` and `b` over the photos that the other parameters find.

    only: pairs in which A alone (a) or B alone (b) has found something, either (differ), or neither (agree); of: such
    objects of one class; truth: blind for blind reviews alone; cursor: where older photos begin; page: of the pairs.
    """
    caller = caller_of(request.user)
    filters = addresses.filters_in(request.GET)
    choices, references = _choices()
    context = _form(request, filters, choices, caller)
    if not (request.GET.get("a") and request.GET.get("b")):
        return render_with_error(request, "detection/compare/compare.html", context, None)
    try:
        window = asked_window(request)
    except ThrottledError as error:
        return render_with_error(request, "detection/compare/compare.html", context, error)
    except (RequestError, BadCursorError) as error:
        return render_with_error(request, "detection/compare/compare.html", context, RequestError(str(error)))
    asked = {side: references.get(request.GET[side], "") for side in ("a", "b")}
    context |= {"window": window, "asked": asked, **_shown(request, filters, window, _common_classes(asked))}
    return render_with_error(request, "detection/compare/compare.html", context, None)


def _choices() -> tuple[list[str], dict[str, str]]:
    """Return NAME@VERSION of all models that have answered or can be asked, and what to ask the latter by."""
    references = {full_name(*model): reference for reference, model in listing.references()}
    return sorted({*references, *(full_name(*model) for model in models_in_history())}), references


def _form(request: HttpRequest, filters: QueryDict, choices: list[str], caller: Caller) -> dict[str, Any]:
    chosen = {side: request.GET.get(side, "") for side in ("a", "b")}
    unchosen = [name for name in choices if name not in chosen.values()]
    for side in ("a", "b"):
        if not chosen[side] and unchosen:
            chosen[side] = unchosen.pop(0)
    valid = DetectionFilter(filters, visible_detections(caller), request=request).is_valid()
    return {
        "choices": list(dict.fromkeys((*choices, *filter(None, chosen.values())))),
        "chosen": chosen,
        "filters": [(name, value) for name in addresses.FILTERS for value in filters.getlist(name)],
        "found": query_string(filters),
        "chips": address.chips_of(filters, caller) if valid else [],
        "gallery_url": list_url(filters),
        "max_pairs": MAX_PAIRS,
        "max_looked_at": MAX_LOOKED_AT,
    }


def asked_window(request: HttpRequest) -> Window:
    """Return the window of an address, which counts as a request of the caller: it may take seconds.

    Raises ThrottledError, RequestError and BadCursorError.
    """
    caller = caller_of(request.user)
    throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
    a, b = (ModelName.parse(request.GET.get(side, "")[:300]) for side in ("a", "b"))
    if a == b:
        raise RequestError(gettext("Choose two different models."))
    found = DetectionFilter(addresses.filters_in(request.GET), visible_detections(caller), request=request)
    if not found.is_valid():
        raise RequestError(gettext("This set cannot be read. Choose the photos in the gallery again."))
    cursor = Cursor.parse(request.GET["cursor"]) if request.GET.get("cursor") else None
    return window_of(found.qs, a, b, caller, cursor)


def _common_classes(asked: dict[str, str]) -> frozenset[str] | None:
    """Return the classes that both models know, by their common names; None where the files of one are gone."""
    known = {row["name"]: tuple(row["classes"]) for row in listing.models()}
    classes = [known.get(reference, ()) for reference in asked.values()]
    return common_classes(classes) if all(classes) else None


def _shown(request: HttpRequest, filters: QueryDict, window: Window, common: frozenset[str] | None) -> dict[str, Any]:
    only, of_class = request.GET.get("only", ""), request.GET.get("of", "")
    shown = [pair for pair in window.pairs if _is_shown(pair, only, of_class)]
    page = Paginator(shown, PAGE_SIZE).get_page(request.GET.get("page"))
    is_blind = request.GET.get("truth") == "blind"
    truths = figures.truths_of(window.detection_ids, blind=is_blind)
    given = {name: request.GET[name] for name in ("a", "b", "cursor") if request.GET.get(name)}
    query = query_string(filters, **given)
    return {
        "differences": figures.differences(window.pairs, common),
        "judged": figures.judged(window.pairs, truths, common),
        "votes": votes.counts_of(window.pairs),
        "blind_truth": is_blind,
        "judged_photos": sum(pair.a.photo_id in truths for pair in window.pairs),
        "page": page,
        "first": pair_body(page[0]) if page else None,
        "ids": [str(pair.a.uuid) for pair in shown],
        "only": only,
        "of": of_class,
        "query": query,
        "page_query": urlencode({"only": only, "of": of_class}),
        "older_query": window.older and query_string(filters, **given | {"cursor": str(window.older)}),
        "views": [
            (name, text, sum(_is_shown(pair, name, "") for pair in window.pairs))
            for name, text in (
                ("", gettext("All")),
                ("differ", gettext("They differ")),
                ("a", gettext("Only A")),
                ("b", gettext("Only B")),
                ("agree", gettext("They agree")),
            )
        ],
    }


def _is_shown(pair: Pair, only: str, of_class: str) -> bool:
    objects = {"a": pair.only_a, "b": pair.only_b}.get(only, (*pair.only_a, *pair.only_b))
    if of_class:
        objects = tuple(one for one in objects if common_name(one.class_name) == of_class)
    if only not in SHOWN and not of_class:
        return True
    return not objects if only == "agree" else bool(objects)
