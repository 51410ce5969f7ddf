"""Dashboard page: numbers of photos and objects, and precision."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from detection.accounts.access import caller_of, limits
from detection.models import Detection
from detection.statistics import queries
from detection.statistics.figures.numbers import numbers_of
from detection.statistics.forms import ScopeForm
from detection.statistics.periods import ALL, LENGTHS
from detection.web.forms import first_sentence

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
    context = _filters(request, form, owner_id) | {"numbers": numbers}
    return render(request, "detection/statistics/dashboard.html", context)


def _filters(request: HttpRequest, form: ScopeForm, owner_id: int | None) -> dict[str, Any]:
    asked = {name: request.GET.get(name, "") for name in form.fields}
    kept = {name: asked[name] for name in ("source", "model") if asked[name]}
    length = form.length if form.is_valid() else ""
    return {
        "asked": asked,
        "errors": form.errors,
        "lengths": [
            (LENGTH_TEXTS[name], f"?{urlencode({'period': name, **kept})}", name == length) for name in LENGTHS
        ],
        "length": length,
        "sources": Detection.Source.choices,
        "models": queries.model_names(owner_id),
        "all_url": "?" + urlencode({"period": ALL}),
        "is_everything": length == ALL and not kept,
        "query": urlencode({name: value for name, value in asked.items() if value}),
    }
