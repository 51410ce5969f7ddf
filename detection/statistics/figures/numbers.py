"""Content of the dashboard for a part of the history: a few single numbers, and the figures."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext, ngettext

from detection.models import Tally
from detection.statistics import queries
from detection.statistics.counted import Counted
from detection.statistics.figures.by_class import classes_figure, scores_figure
from detection.statistics.figures.by_day import objects_figure, photos_figure
from detection.statistics.figures.figures import Figure
from detection.statistics.figures.reviewed import confusion_figure, interval_text, precision_figure
from detection.statistics.figures.words import Time, average_text, bucket_text, count_text, day_text, percent_text
from detection.statistics.periods import drawn
from detection.statistics.queries import PhotoCount, Scope, Verdicts

# Series of classes over time; more colours than these are hard to tell apart.
SHOWN_CLASSES = 5


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that stands alone. href: what it counts."""

    title: str
    value: str
    hint: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Content of the dashboard. days: its period, in words. Without photos there are no tiles and no figures."""

    days: str = ""
    tiles: tuple[Tile, ...] = ()
    figures: tuple[Figure, ...] = ()


def numbers_of(scope: Scope) -> Numbers:
    """Return the statistics of a part of the history."""
    photos = queries.photos_over_time(scope)
    if not photos:
        return Numbers()
    classes, verdicts = queries.objects_by_class(scope), queries.verdicts(scope)
    return Numbers(
        _days_text(scope, photos),
        _tiles(photos, classes.total(), verdicts, Counted(scope)),
        (*_over_time(scope, photos, classes), *_by_class(scope, classes, verdicts)),
    )


def _over_time(scope: Scope, photos: Mapping[date, PhotoCount], classes: Counter[str]) -> Iterator[Figure]:
    time = Time(scope.bucket, drawn(scope.first, scope.last, photos))
    yield photos_figure(photos, time, Counted(scope))
    if classes:
        shown = [name for name, _ in classes.most_common(SHOWN_CLASSES)]
        yield objects_figure(queries.objects_over_time(scope, shown), shown, time, Counted(scope))


def _by_class(scope: Scope, classes: Counter[str], verdicts: Verdicts) -> Iterator[Figure]:
    """Return the figures by class. Without found objects only drawn ones can be shown."""
    if classes:
        yield classes_figure(classes, Counted(scope))
        yield precision_figure(verdicts, Counted(scope))
        yield scores_figure(queries.scores(scope), Counted(scope))
        yield confusion_figure(verdicts.relabelled, Counted(scope))


def _tiles(
    by_bucket: Mapping[date, PhotoCount], objects: int, verdicts: Verdicts, counted: Counted
) -> tuple[Tile, ...]:
    photos = sum(count.photos for count in by_bucket.values())
    empty = sum(count.empty for count in by_bucket.values())
    together, missed = verdicts.together, verdicts.added.total()
    per_photo = gettext("%(average)s in a photo") % {"average": average_text(objects / photos)}
    tiles = [
        Tile(gettext("Photos"), count_text(photos), gettext("looked at")),
        Tile(gettext("Objects"), count_text(objects), per_photo, counted.url if objects else ""),
        Tile(
            gettext("Nothing found"),
            percent_text(empty / photos),
            ngettext("in %(count)s photo", "in %(count)s photos", empty) % {"count": count_text(empty)},
            replace(counted, kind=Tally.Kind.EMPTY).url if empty else "",
        ),
    ]
    if together.total:
        hint = gettext("of %(count)s judged objects, %(interval)s") % {
            "count": count_text(together.total),
            "interval": interval_text(together),
        }
        tiles.append(Tile(gettext("Precision"), percent_text(together.precision), hint))
    if missed:
        href = replace(counted, kind=Tally.Kind.ADDED).url
        tiles.append(Tile(gettext("Missed"), count_text(missed), gettext("objects that people drew"), href))
    return tuple(tiles)


def _days_text(scope: Scope, known: Iterable[date]) -> str:
    first, last = scope.first or min(known), scope.last or max(known)
    texts = (
        day_text(first) if scope.first else bucket_text(scope.bucket, first),
        day_text(last) if scope.last else bucket_text(scope.bucket, last),
    )
    return " \N{EN DASH} ".join(dict.fromkeys(texts))
