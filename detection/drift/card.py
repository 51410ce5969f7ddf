"""Card of the dashboard: what differs on the newest day of each model."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.drift import service
from detection.drift.comparison import SHARES
from detection.i18n.class_titles import class_title
from detection.models import DriftDay

_NAMES = {
    "empty": _("photos without an object"),
    "objects": _("objects in a photo"),
    "score": _("mean probability"),
    "object size": _("size of objects (log2 of their share of the photo)"),
    "photo size": _("size of photos (log2 of their pixels)"),
    "brightness": _("brightness (0 to 255)"),
    "sharpness": _("sharpness (less where photos are blurred)"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Measure that differs, in words: its name, its mean now and before, and the change of it."""

    name: str
    now: str
    before: str
    change: str


@dataclass(frozen=True, slots=True)
class Card:
    """Newest day of a model; no findings: it is like its reference period."""

    model: str
    day: date
    reference_days: int
    findings: list[Difference]


def cards() -> list[Card]:
    """Return the card of each model whose newest day was compared."""
    return [card_of(row) for row in service.latest() if row.reference_days]


def card_of(row: DriftDay) -> Card:
    """Return the card of a day, in the language of the thread."""
    findings = [_difference(each["name"], each["mean"], each["reference"]) for each in row.findings]
    return Card(row.model, row.day, row.reference_days, findings)


def _difference(name: str, now: float, before: float) -> Difference:
    change = f"{100 * (now - before):+.1f} points" if name.startswith(SHARES) else f"{now - before:+.2f}"
    return Difference(_title(name), _value(name, now), _value(name, before), change)


def _title(name: str) -> str:
    kind, _colon, what = name.partition(":")
    if kind == "class":
        return gettext("photos with %(class_name)s") % {"class_name": class_title(what)}
    if kind == "format":
        return gettext("photos as %(format)s") % {"format": what}
    return str(_NAMES.get(name, name))


def _value(name: str, value: float) -> str:
    return f"{100 * value:.1f}\u00a0%" if name.startswith(SHARES) else f"{value:.2f}"
