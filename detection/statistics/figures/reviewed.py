"""Figures of verdicts: precision by class, and confusion between classes."""

from collections.abc import Mapping

from django.utils.translation import gettext

from detection.i18n.class_titles import class_title
from detection.statistics.figures.figures import DataTable, Figure
from detection.statistics.figures.words import count_text, percent_text
from detection.statistics.intervals import VerdictCounts
from detection.statistics.plots.heat import heat_table
from detection.statistics.plots.rows import Share, shares
from detection.statistics.plots.svg import Caption, written
from detection.statistics.queries import Verdicts

SHOWN_CLASSES = 12
SHOWN_CONFUSED = 10
_SCALE = ("0 %", "25 %", "50 %", "75 %", "100 %")


def precision_figure(verdicts: Verdicts) -> Figure:
    """Plot precision by class with its interval, for the classes with the most verdicts."""
    title = gettext("Precision by class")
    hint = gettext(
        "Of the objects that people judged, the share whose class is right: confirmed, or only the box corrected. "
        "Rejected and relabelled ones are wrong; what nobody judged does not count. "
        "The line is its interval (Wilson, 95 %)."
    )
    if not verdicts.judged:
        return Figure("precision", title, hint, gettext("Nobody has judged an object of these photos yet."))
    rows = [
        Share(class_title(one.class_name), one.precision, one.interval, _precision_text(one), _verdicts_text(one))
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
            tuple(map(_precision_cells, verdicts.judged)),
        ),
    )


def confusion_figure(relabelled: Mapping[tuple[str, str], int]) -> Figure:
    """Plot the class that people gave to objects of another one."""
    title = gettext("Relabelled classes")
    hint = gettext("Rows are what the model said, columns what a person said instead.")
    if not relabelled:
        return Figure("confusion", title, hint, gettext("No object of these photos was given another class."))
    titled = {(class_title(model), class_title(person)): count for (model, person), count in relabelled.items()}
    return Figure("confusion", title, hint, heat=heat_table(titled, SHOWN_CONFUSED), is_wide=True)


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


def _precision_cells(one: VerdictCounts) -> tuple[str, ...]:
    counts = (one.confirmed, one.corrected, one.rejected, one.relabelled)
    return (class_title(one.class_name), percent_text(one.precision), interval_text(one), *map(count_text, counts))
