"""Figures over time: photos, and objects by class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from django.utils.translation import gettext

from detection.i18n.class_titles import class_title
from detection.models import Tally
from detection.statistics.counted import Counted
from detection.statistics.figures.figures import OTHERS_SERIES, DataTable, Figure, Legend, Linked, series_class
from detection.statistics.figures.words import Time, bucket_text, bucket_ticks, bucket_title, count_text, percent_text
from detection.statistics.periods import Bucket, last_of
from detection.statistics.plots.columns import Column, stacked_columns
from detection.statistics.plots.svg import Caption, written
from detection.statistics.queries import PhotoCount

_PHOTO_SERIES = (series_class(0), OTHERS_SERIES)


def photos_figure(photos: Mapping[date, PhotoCount], time: Time, counted: Counted) -> Figure:
    """Plot photos by day or month, with those without objects as a series of their own. counted: all objects."""
    none = PhotoCount(0, 0)
    counts = [photos.get(start, none) for start in time.starts]
    names = (gettext("with objects"), gettext("nothing found"))
    rows = [
        (bucket_text(time.bucket, start), (count.photos - count.empty, count.empty))
        for start, count in zip(time.starts, counts, strict=True)
    ]
    empty = [counted_during(replace(counted, kind=Tally.Kind.EMPTY), time.bucket, start) for start in time.starts]
    title = gettext("Photos over time")
    svg = stacked_columns(
        Caption("photos", title, gettext("Columns of photos: %s.") % ", ".join(names)),
        [
            Column(counts, _tooltip(text, names, counts), ("", href))
            for (text, counts), href in zip(rows, empty, strict=True)
        ],
        bucket_ticks(time),
        _PHOTO_SERIES,
        count_text,
    )
    return Figure(
        key="photos",
        title=title,
        hint=gettext("Each photo that was looked at counts once, also where nothing was found in it."),
        svg=written(svg),
        legend=tuple(map(Legend, _PHOTO_SERIES, names)),
        table=DataTable(
            (bucket_title(time.bucket), gettext("Photos"), gettext("Nothing found"), gettext("Share")),
            tuple(
                (text, *_photo_cells(sum(counts), counts[1], href))
                for (text, counts), href in zip(rows, empty, strict=True)
            ),
        ),
        is_wide=True,
    )


def objects_figure(
    objects: Mapping[tuple[date, str], int], classes: Sequence[str], time: Time, counted: Counted
) -> Figure:
    """Plot objects by day or month. classes: those with a series of their own, the most frequent first; counted: all
    objects.
    """
    counts: Counter[tuple[date, str | None]] = Counter()
    for (start, name), count in objects.items():
        counts[start, name if name in classes else None] += count
    shown: list[str | None] = [*classes, None] if any(name is None for _, name in counts) else [*classes]
    names = [gettext("others") if name is None else class_title(name) for name in shown]
    series = [OTHERS_SERIES if name is None else series_class(place) for place, name in enumerate(shown)]
    rows = [(bucket_text(time.bucket, start), tuple(counts[start, name] for name in shown)) for start in time.starts]
    hrefs = [
        tuple(
            "" if name is None else counted_during(replace(counted, class_name=name), time.bucket, start)
            for name in shown
        )
        for start in time.starts
    ]
    title = gettext("Objects over time")
    svg = stacked_columns(
        Caption("objects", title, gettext("Columns of reported objects, by class: %s.") % ", ".join(names)),
        [Column(row, _tooltip(text, names, row), links) for (text, row), links in zip(rows, hrefs, strict=True)],
        bucket_ticks(time),
        series,
        count_text,
    )
    return Figure(
        key="objects",
        title=title,
        hint=gettext("The most frequent classes, and all others together."),
        svg=written(svg),
        legend=tuple(map(Legend, series, names)),
        table=DataTable(
            (bucket_title(time.bucket), *names),
            tuple(
                (text, *(_number(count, href) for count, href in zip(row, links, strict=True)))
                for (text, row), links in zip(rows, hrefs, strict=True)
            ),
        ),
        is_wide=True,
    )


def _tooltip(text: str, names: Sequence[str], counts: Sequence[int]) -> str:
    lines = [f"{name}: {count_text(count)}" for name, count in zip(names, counts, strict=True) if count]
    return "\n".join([text, *(lines or [gettext("nothing")])])


def _photo_cells(photos: int, empty: int, href: str) -> tuple[str, Linked, str]:
    share = percent_text(empty / photos) if photos else ""
    return count_text(photos), _number(empty, href), share


def _number(count: int, href: str) -> Linked:
    return Linked(count_text(count), href if count else "")


def counted_during(counted: Counted, bucket: Bucket, start: date) -> str:
    """Return the address of what is counted in a bucket, within the days of the scope."""
    first, last = start, last_of(bucket, start)
    scope = counted.scope
    return counted.during(max(first, scope.first or first), min(last, scope.last or last)).url
