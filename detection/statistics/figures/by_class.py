"""Figures of found objects: by class, and by probability."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from django.utils.formats import number_format
from django.utils.translation import gettext

from detection.i18n.class_titles import class_title
from detection.statistics.counted import Counted
from detection.statistics.figures.figures import DataTable, Figure, Linked, series_class
from detection.statistics.figures.words import count_text, percent_text
from detection.statistics.plots.columns import Column, Tick, stacked_columns
from detection.statistics.plots.rows import Bar, bars
from detection.statistics.plots.svg import Caption, written

SHOWN_CLASSES = 12
_TICKS = 4


def classes_figure(counts: Counter[str], counted: Counted) -> Figure:
    """Plot the objects of the most frequent classes. counted: all objects."""
    ordered = counts.most_common()
    shown, others = ordered, 0
    if len(ordered) > SHOWN_CLASSES:
        shown, others = ordered[: SHOWN_CLASSES - 1], sum(count for _, count in ordered[SHOWN_CLASSES - 1 :])
    hrefs = {name: replace(counted, class_name=name).url for name in counts}
    rows = [Bar(class_title(name), count, count_text(count), hrefs[name]) for name, count in shown]
    title = gettext("Objects by class")
    hint = gettext("Reported objects, as the model named them.")
    if others:
        hint = gettext("The %(count)s most frequent classes; all others have %(others)s objects.") % {
            "count": len(shown),
            "others": count_text(others),
        }
    total = counts.total()
    return Figure(
        key="classes",
        title=title,
        hint=hint,
        svg=written(bars(Caption("classes", title, gettext("A bar for each class.")), rows)),
        table=DataTable(
            (gettext("Class"), gettext("Objects"), gettext("Share")),
            tuple(
                (class_title(name), Linked(count_text(count), hrefs[name]), percent_text(count / total))
                for name, count in ordered
            ),
        ),
    )


def scores_figure(counts: Sequence[int], counted: Counted) -> Figure:
    """Plot the distribution of probabilities. counts: by equal parts of the probability, from 0 to 1; counted: all
    objects.
    """
    parts = len(counts)
    names = [f"{_percent(place, parts)}\N{EN DASH}{_percent(place + 1, parts)} %" for place in range(parts)]
    hrefs = [replace(counted, score_bin=place).url for place in range(parts)]
    title = gettext("Scores")
    svg = stacked_columns(
        Caption("scores", title, gettext("Columns of reported objects by probability, from 0 to 100 percent.")),
        [
            Column((count,), f"{name}: {count_text(count)}", (href,))
            for name, count, href in zip(names, counts, hrefs, strict=True)
        ],
        [Tick(place / _TICKS, f"{_percent(place, _TICKS)} %") for place in range(_TICKS + 1)],
        (series_class(0),),
        count_text,
    )
    return Figure(
        key="scores",
        title=title,
        hint=gettext(
            "Reported objects by probability. What lies below the threshold of its detection is not reported."
        ),
        svg=written(svg),
        table=DataTable(
            (gettext("Probability"), gettext("Objects")),
            tuple(
                (name, Linked(count_text(count), href)) for name, count, href in zip(names, counts, hrefs, strict=True)
            ),
        ),
        is_wide=True,
    )


def _percent(place: int, parts: int) -> str:
    return str(number_format(f"{place * 100 / parts:g}"))
