"""Form of the part of the history that statistics are requested for, shared by the page and the API."""

from datetime import date

from django import forms
from django.utils.translation import gettext_lazy as _

from detection.history.counters import SCORE_BINS
from detection.models import Detection
from detection.statistics.counted import KINDS, Counted
from detection.statistics.periods import DEFAULT_LENGTH, LENGTHS, last_days
from detection.statistics.queries import Scope

_EARLIEST, _LATEST = date(1900, 1, 1), date(2999, 12, 31)


class ScopeForm(forms.Form):
    """Scope of statistics. period: the last so many days; date_from, date_to: custom days, which take precedence;
    source, model; blind: 1 for photos that were reviewed blindly alone.
    """

    period = forms.ChoiceField(
        choices=[(length, length) for length in LENGTHS],
        required=False,
        error_messages={"invalid_choice": _("There is no such period. Choose 7, 30 or 90 days, or all.")},
    )
    date_from = forms.DateField(
        required=False, error_messages={"invalid": _("“From” is no date. Write it as YYYY-MM-DD.")}
    )
    date_to = forms.DateField(required=False, error_messages={"invalid": _("“To” is no date. Write it as YYYY-MM-DD.")})
    source = forms.ChoiceField(
        choices=Detection.Source.choices,
        required=False,
        error_messages={"invalid_choice": _("There is no such source. Choose one of the list.")},
    )
    model = forms.CharField(required=False, max_length=200)
    blind = forms.ChoiceField(
        choices=[("1", "1")],
        required=False,
        error_messages={"invalid_choice": _("Write blind=1, or leave it out.")},
    )

    def clean_date_to(self) -> date | None:
        """Refuse a date_to before date_from."""
        first, last = self.cleaned_data.get("date_from"), self.cleaned_data["date_to"]
        if first and last and last < first:
            raise forms.ValidationError(_("“To” lies before “From”. Change one of them."))
        given: date | None = last
        return given

    @property
    def has_own_dates(self) -> bool:
        """Return whether custom days were given, which override the period."""
        return bool(self.cleaned_data["date_from"] or self.cleaned_data["date_to"])

    @property
    def length(self) -> str:
        """Chosen length, one of LENGTHS; "" where custom days were given."""
        return "" if self.has_own_dates else self.cleaned_data["period"] or DEFAULT_LENGTH

    def scope(self, owner_id: int | None) -> Scope:
        """Return the scope of a valid form. owner_id: whose statistics alone; None for everybody's."""
        given = self.cleaned_data
        days = (
            (_within(given["date_from"]), _within(given["date_to"])) if self.has_own_dates else last_days(self.length)
        )
        return Scope(*days, given["source"], given["model"], owner_id=owner_id, is_blind=given["blind"] == "1")


class CountedForm(ScopeForm):
    """Query for the objects that a number of the dashboard counts.

    kind: of `counted.KINDS`; class, given: names of classes; score: the twentieth of a probability; after: the place of
    the last object of the page before.
    """

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in KINDS], required=False)
    given = forms.CharField(required=False, max_length=100)
    score = forms.IntegerField(required=False, min_value=0, max_value=SCORE_BINS - 1)
    after = forms.RegexField(r"^[0-9]{1,18}\.[0-9]{1,9}$", required=False)

    def counted(self, owner_id: int | None) -> Counted:
        """Return it, of a valid form."""
        given = self.cleaned_data
        return Counted(self.scope(owner_id), given["kind"] or KINDS[0], given["class"], given["given"], given["score"])

    @property
    def place(self) -> tuple[int, int] | None:
        """Place where the page begins, of a valid form."""
        detection, _dot, number = self.cleaned_data["after"].partition(".")
        return (int(detection), int(number)) if detection else None


# `class` is a keyword of Python, but the right word in an address.
CountedForm.base_fields["class"] = forms.CharField(required=False, max_length=100)


def _within(day: date | None) -> date | None:
    """Clamp a day to the range in which there is a month before it, and one after it."""
    return day and min(max(day, _EARLIEST), _LATEST)
