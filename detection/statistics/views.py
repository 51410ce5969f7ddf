"""Dashboard page: numbers of photos and objects, and precision."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from detection.accounts.access import caller_of, limits
from detection.drift.card import cards
from detection.history.counters import SCORE_BINS
from detection.i18n.class_titles import class_title
from detection.models import Detection, Tally
from detection.statistics import counted, queries
from detection.statistics.counted import Counted
from detection.statistics.figures.numbers import numbers_of
from detection.statistics.forms import CountedForm, ScopeForm
from detection.statistics.periods import ALL, LENGTHS
from detection.web.forms import first_sentence

# On a page; each is a picture of its own.
CROPS = 60
LENGTH_TEXTS = {
    "7": gettext_lazy("7 days"),
    "30": gettext_lazy("30 days"),
    "90": gettext_lazy("90 days"),
    ALL: gettext_lazy("All"),
}


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show statistics and figures of the part of the history in the query string."""
    form = ScopeForm(request.GET)
    owner_id = limits(caller_of(request.user))
    if not form.is_valid():
        context = _filters(request, form, owner_id) | {"error": first_sentence(form)}
        return render(request, "detection/statistics/dashboard.html", context, status=400)
    numbers = numbers_of(form.scope(owner_id))
    # Of all photos, so for those who see all of them.
    drift = cards() if owner_id is None else []
    context = _filters(request, form, owner_id) | {"numbers": numbers, "drift": drift}
    return render(request, "detection/statistics/dashboard.html", context)


@require_safe
def objects(request: HttpRequest) -> HttpResponse:
    """Show the objects that a number of the dashboard counts, as crops of their photos."""
    form = CountedForm(request.GET)
    if not form.is_valid():
        context: dict[str, Any] = {"error": first_sentence(form)}
        return render(request, "detection/statistics/objects.html", context, status=400)
    caller = caller_of(request.user)
    what = form.counted(limits(caller))
    shown, has_more = counted.page_of(what, caller, form.place, CROPS)
    context = {
        "shown": shown,
        "total": counted.total(what),
        "title": _title(what),
        "first": what.scope.first,
        "last": what.scope.last,
        "model": what.scope.model_name,
        "more_url": f"{what.url}&{urlencode({'after': shown[-1].place})}" if has_more else "",
    }
    return render(request, "detection/statistics/objects.html", context)


def _title(what: Counted) -> str:
    """Return what is shown, in words."""
    name, given = class_title(what.class_name), class_title(what.given_class)
    texts = {
        Tally.Kind.OBJECT: gettext("Reported objects"),
        Tally.Kind.EMPTY: gettext("Photos in which nothing was found"),
        Tally.Kind.CONFIRMED: gettext("Confirmed objects"),
        Tally.Kind.CORRECTED: gettext("Objects with a corrected box"),
        Tally.Kind.REJECTED: gettext("Rejected objects"),
        Tally.Kind.RELABELLED: gettext("Objects with another class"),
        Tally.Kind.ADDED: gettext("Objects that people drew"),
    }
    parts = [texts[Tally.Kind(what.kind)]]
    if what.given_class:
        parts.append(f"{name} \N{RIGHTWARDS ARROW} {given}")
    elif what.class_name:
        parts.append(name)
    if what.score_bin is not None:
        low, high = (share * 100 // SCORE_BINS for share in (what.score_bin, what.score_bin + 1))
        parts.append(f"{low}\N{EN DASH}{high} %")
    return " \N{MIDDLE DOT} ".join(parts)


def _filters(request: HttpRequest, form: ScopeForm, owner_id: int | None) -> dict[str, Any]:
    asked = {name: request.GET.get(name, "") for name in form.fields}
    kept = {name: asked[name] for name in ("source", "model", "blind") if asked[name]}
    length = form.length if form.is_valid() else ""
    models = queries.model_names(owner_id)
    return {
        "asked": asked,
        "errors": form.errors,
        "lengths": [
            (LENGTH_TEXTS[name], f"?{urlencode({'period': name, **kept})}", name == length) for name in LENGTHS
        ],
        "length": length,
        "sources": Detection.Source.choices,
        "models": models,
        "all_url": "?" + urlencode({"period": ALL}),
        # Without a detection of any model, no other filter finds more.
        "is_everything": not models or (length == ALL and not kept),
        "query": urlencode({name: value for name, value in asked.items() if value}),
    }
