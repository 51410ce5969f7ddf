"""Filters of the gallery's address, its search field's text among them, and the chips that show and remove them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, gettext_lazy, pgettext

from detection.accounts.access import Caller, limits, visible_to
from detection.gallery import search
from detection.history import counters
from detection.history.addresses import FILTERS, SEVERAL, filters_in, list_url
from detection.history.selectors import models_in_history
from detection.i18n.class_titles import class_title
from detection.models import Album, Batch, Detection

VERDICT_TEXTS = {
    "rejected": gettext_lazy("With a rejected object"),
    "changed": gettext_lazy("With another class or box"),
    "added": gettext_lazy("With an object that was missed"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter as people read it, and the address without it. class_name: of which it has the colour, or empty."""

    text: str
    without_url: str
    class_name: str = ""


def filters_of(query: QueryDict, caller: Caller) -> QueryDict:
    """Return the filters of an address alone; the text of the search field counts as the filters that it stands for."""
    filters = filters_in(query)
    if text := query.get("q", "").strip():
        for name, value in search.parse(text, vocabulary(caller, filters.get("zone", ""))):
            if name in SEVERAL:
                filters.appendlist(name, value)
            else:
                filters[name] = value
    return filters


def vocabulary(caller: Caller, zone: str = "") -> search.Vocabulary:
    """Return the words that mean something to the caller. zone: in which it is today."""
    names = counters.class_names(limits(caller))
    return search.Vocabulary.of(names, (name for name, _version in models_in_history()), _today(zone))


def _today(zone: str) -> date:
    try:
        return datetime.now(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return timezone.now().date()


def chips_of(filters: QueryDict, caller: Caller) -> list[Chip]:
    """Return a chip for each of these valid filters, but for the zone, which is that of the days."""
    return [
        Chip(
            _text_of(name, value, caller),
            list_url(_without(filters, name, value)),
            value if name in SEVERAL else "",
        )
        for name in FILTERS
        if name != "zone"
        for value in filters.getlist(name)
    ]


def _without(filters: QueryDict, name: str, value: str) -> QueryDict:
    others = filters.copy()
    others.setlist(name, [one for one in filters.getlist(name) if one != value])
    return others


def _text_of(name: str, value: str, caller: Caller) -> str:
    if name == "not_class":
        return gettext("not %(object)s") % {"object": class_title(value)}
    texts: dict[str, Callable[[], str]] = {
        "class": lambda: class_title(value),
        "name": lambda: f"“{value}”",
        "min_probability": lambda: f"\N{GREATER-THAN OR EQUAL TO} {_percent(value)}",
        "max_probability": lambda: f"\N{LESS-THAN OR EQUAL TO} {_percent(value)}",
        "date_from": lambda: gettext("from %(day)s") % {"day": _day(value)},
        "date_to": lambda: gettext("to %(day)s") % {"day": _day(value)},
        "reviewed": lambda: gettext("Reviewed") if value == "1" else gettext("Not reviewed"),
        "verdict": lambda: str(VERDICT_TEXTS.get(value, value)),
        "shadow": lambda: gettext("%(model)s disagrees") % {"model": value},
        "blind": lambda: gettext("Reviewed blindly"),
        "source": lambda: str(dict(Detection.Source.choices).get(value, value)),
        "album": lambda: gettext("Album: %(name)s") % {"name": _name_of(Album, value, caller)},
        "batch": lambda: gettext("Batch: %(name)s") % {"name": _name_of(Batch, value, caller)},
    }
    return texts[name]() if name in texts else value


def _percent(value: str) -> str:
    return f"{number_format(f'{float(value) * 100:g}')} %"


def _day(value: str) -> str:
    # Translators: in the letters of Django's filter `date`.
    return date_format(date.fromisoformat(value), pgettext("format of a date", "j F Y"))


def _name_of(kind: type[Album] | type[Batch], value: str, caller: Caller) -> str:
    row = visible_to(caller, kind._default_manager.all()).filter(uuid=value).first()
    return str(row or value)
