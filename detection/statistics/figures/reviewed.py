"""Figures of verdicts: precision by class, and confusion between classes."""

from collections.abc import Mapping
from dataclasses import replace

from django.utils.translation import gettext

from detection.i18n.class_titles import class_title
from detection.models import Tally
from detection.statistics.counted import Counted
from detection.statistics.figures.figures import DataTable, Figure, Linked
from detection.statistics.figures.words import count_text, percent_text
from detection.statistics.intervals import VerdictCounts
from detection.statistics.plots.heat import heat_table
from detection.statistics.plots.rows import Share, shares
from detection.statistics.plots.svg import Caption, written
from detection.statistics.queries import Verdicts

SHOWN_CLASSES = 12
SHOWN_CONFUSED = 10
_SCALE = ("0 %", "25 %", "50 %", "75 %", "100 %")


def precision_figure(verdicts: Verdicts, counted: Counted) -> Figure:
    """Plot precision by class with its interval, for the classes with the most verdicts. counted: all objects."""
    title = gettext("Precision by class")
    hint = gettext(
        "Of the objects that people judged, the share whose class is right: confirmed, or only the box corrected. "
        "Rejected and relabelled ones are wrong; what nobody judged does not count. "
        "The line is its interval (Wilson, 95 %)."
    )
    if not verdicts.judged:
        return Figure("precision", title, hint, gettext("Nobody has judged an object of these photos yet."))
    if counted.scope.is_blind:
        hint += " " + gettext("Reviewers drew their own boxes before they saw the model's.")
    else:
        hint += " " + gettext("Reviewers saw the model's boxes before they judged, which flatters the model.")
    rows = [
        Share(
            class_title(one.class_name),
            one.precision,
            one.interval,
            _precision_text(one),
            _verdicts_text(one),
            replace(counted, kind=Tally.Kind.REJECTED, class_name=one.class_name).url if one.rejected else "",
        )
        for one in verdicts.judged[:SHOWN_CLASSES]
    ]
    return Figure(
        key="precision",
        title=title,
        hint=hint,
        svg=written(
            shares(Caption("precision", title, gettext("A dot with its interval for each class.")), rows, _SCALE)
        ),
        table=DataTable(
            (
                gettext("Class"),
                gettext("Precision"),
                gettext("Interval (95 %)"),
                gettext("Confirmed"),
                gettext("Corrected"),
                gettext("Rejected"),
                gettext("Relabelled"),
            ),
            tuple(_precision_cells(one, replace(counted, class_name=one.class_name)) for one in verdicts.judged),
        ),
    )


def confusion_figure(relabelled: Mapping[tuple[str, str], int], counted: Counted) -> Figure:
    """Plot the class that people gave to objects of another one. counted: all objects."""
    title = gettext("Relabelled classes")
    hint = gettext("Rows are what the model said, columns what a person said instead.")
    if not relabelled:
        return Figure("confusion", title, hint, gettext("No object of these photos was given another class."))
    titled = {(class_title(model), class_title(person)): count for (model, person), count in relabelled.items()}
    of_all = replace(counted, kind=Tally.Kind.RELABELLED)
    hrefs: dict[tuple[str | None, str | None], str] = {
        (class_title(model), class_title(person)): replace(of_all, class_name=model, given_class=person).url
        for model, person in relabelled
    }
    return Figure("confusion", title, hint, heat=heat_table(titled, SHOWN_CONFUSED, hrefs), is_wide=True)


def interval_text(one: VerdictCounts) -> str:
    """Format the 95 % interval of a precision."""
    return f"{percent_text(one.interval.low)}\N{NO-BREAK SPACE}\N{EN DASH} {percent_text(one.interval.high)}"


def _precision_text(one: VerdictCounts) -> str:
    return gettext("%(percent)s (%(right)s of %(total)s)") % {
        "percent": percent_text(one.precision),
        "right": count_text(one.right),
        "total": count_text(one.total),
    }


def _verdicts_text(one: VerdictCounts) -> str:
    head = f"{class_title(one.class_name)}: {interval_text(one)}"
    counts = {
        gettext("Confirmed"): one.confirmed,
        gettext("Corrected"): one.corrected,
        gettext("Rejected"): one.rejected,
        gettext("Relabelled"): one.relabelled,
    }
    return "\n".join([head, *(f"{name}: {count_text(count)}" for name, count in counts.items())])


def _precision_cells(one: VerdictCounts, counted: Counted) -> tuple[str | Linked, ...]:
    counts = {
        Tally.Kind.CONFIRMED: one.confirmed,
        Tally.Kind.CORRECTED: one.corrected,
        Tally.Kind.REJECTED: one.rejected,
        Tally.Kind.RELABELLED: one.relabelled,
    }
    urls = {kind: replace(counted, kind=kind).url if count else "" for kind, count in counts.items()}
    cells = (Linked(count_text(count), urls[kind]) for kind, count in counts.items())
    return (class_title(one.class_name), percent_text(one.precision), interval_text(one), *cells)
