"""Measures every list of a large history: each filter, each pair of them, each order, deep pages, admin, statistics.

It calls the views in this process, and times the whole rendered response, and each query of it, until its
rows are fetched; nothing is written. The history is that of DATA_DIR and DATABASE_URL:

    export DATA_DIR=/tmp/million
    python manage.py migrate && python -m bench.history --detections 1000000
    python -m bench.lists
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import urlencode

from bench import part
from bench.part import Context
from bench.report import Claim, Report, Table, number

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
LIMIT_MS = 100.0
_Chosen = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One address, and its list."""

    about: str
    path: str


class Spent(NamedTuple):
    """Milliseconds of a whole response, and of the slowest query in it."""

    answer_ms: float
    query_ms: float


class _Clock:
    """Cursor that adds up the time of each query and of fetching its rows: SQLite works while it fetches."""

    _TIMED = frozenset({"execute", "executemany", "fetchone", "fetchmany", "fetchall"})

    def __init__(self, cursor: Any, queries_s: list[float]) -> None:
        self._cursor = cursor
        self._queries_s = queries_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cursor, name)
        if name not in self._TIMED:
            return found
        if name.startswith("execute"):
            self._queries_s.append(0.0)
        return partial(self._timed, found)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def __enter__(self) -> "_Clock":
        return self

    def __exit__(self, *error: object) -> None:
        self._cursor.close()

    def _timed(self, function: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            self._queries_s[-1] += time.perf_counter() - begun


def measure(context: Context) -> None:
    """Measure medians of each address; claim a limit for the slowest query of each list."""
    import django

    django.setup()
    spent: dict[str, dict[str, Spent]] = {}
    for case in cases():
        context.tell(case.path)
        rounds = [_spent(case.path) for _ in range(context.options.rounds)]
        spent.setdefault(case.about, {})[case.path] = Spent(*(median(each) for each in zip(*rounds, strict=True)))
    _report(context.report, spent)


def _report(report: Report, spent: Mapping[str, Mapping[str, Spent]]) -> None:
    from django.db import connection

    from detection.models import Detection

    rows = []
    for about, of_paths in spent.items():
        slowest = max(of_paths, key=lambda path: of_paths[path].query_ms)
        answers_ms = [one.answer_ms for one in of_paths.values()]
        queries_ms = [one.query_ms for one in of_paths.values()]
        figures = (median(answers_ms), max(answers_ms), median(queries_ms), max(queries_ms))
        rows.append([about, str(len(of_paths)), *map(number, figures), slowest])
        report.claims.append(Claim(f"slowest query: {about}", max(queries_ms), LIMIT_MS, " ms", at_most=True))
    detections = Detection.objects.count()
    medians = {about: {path: one._asdict() for path, one in of_paths.items()} for about, of_paths in spent.items()}
    report.results.update(database=connection.vendor, detections=detections, medians=medians)
    title = f"Milliseconds among {detections:,} detections, {connection.vendor}"
    columns = ["list", "addresses", "answer: median", "slowest", "its slowest query: median", "slowest", "at"]
    report.tables.append(Table(title, columns, rows))


def cases() -> Iterator[Case]:
    """Return all measured addresses."""
    filters = list(_filters())
    for about, path in (("history page", "/history/"), ("API", "/api/detections/")):
        yield from _of(about, path, [()])
        yield from _of(f"{about}, one filter", path, [(one,) for one in filters])
        yield from _of(f"{about}, two filters", path, _pairs(filters))
    yield from _of("API, deep pages", "/api/detections/", _deep(filters))
    yield from _review()
    yield from _admin()
    yield from _numbers()


def _filters() -> Iterator[_Chosen]:
    """Return frequent, rare and missing values."""
    from detection.models import Detection

    frequent, rare = _classes()
    first = Detection.objects.order_by("created_at").values_list("created_at", flat=True)[0]
    model = Detection.objects.values_list("model_name", flat=True)[0]
    yield from (("class", frequent), ("class", rare), ("class", "no such class"))
    yield from (("min_probability", "0.9"), ("min_probability", "0.999"), ("min_probability", "1"))
    yield from (("date_to", str(first.date())), ("date_to", "2001-01-01"), ("date_from", "2101-01-01"))
    yield from (("source", "api"), ("source", "websocket"), ("source", "redetect"))
    yield from (("reviewed", "0"), ("reviewed", "1"), ("verdict", "rejected"), ("verdict", "added"))
    yield from (("model", model), ("model", "none"))
    # Parts of names: of nearly all, of a few, of none.
    yield from (("name", "jpg"), ("name", "0042"), ("name", "no such name"))
    yield from (("not_class", frequent), ("not_class", rare), ("max_probability", "0.4"))


def _classes() -> tuple[str, str]:
    """Return the class of most detections and that of the fewest."""
    from django.db.models import Count

    from detection.models import ListEntry

    rows = ListEntry.objects.exclude(class_name="").values("class_name").annotate(rows=Count("pk")).order_by("-rows")
    names = [str(row["class_name"]) for row in rows]
    return names[0], names[-1]


def _pairs(filters: Sequence[_Chosen]) -> list[tuple[_Chosen, ...]]:
    """Return pairs of different filters that something can pass: no class that is asked for and left out."""
    pairs = [pair for pair in combinations(filters, 2) if pair[0][0] != pair[1][0]]
    return [pair for pair in pairs if {name for name, _ in pair} != {"class", "not_class"} or pair[0][1] != pair[1][1]]


def _deep(filters: Sequence[_Chosen]) -> list[tuple[_Chosen, ...]]:
    """Return pages from the middle of the history, in both directions, and from its end."""
    from detection.history.pagination import Cursor
    from detection.models import Detection

    span = Detection.objects.order_by("pk").values_list("pk", flat=True)
    first, last = span[0], span.reverse()[0]
    places = []
    for pk in ((first + last) // 2, first):
        here = Detection.objects.filter(pk__gte=pk).order_by("pk")[0]
        places += [Cursor(newer, here.created_at, here.pk) for newer in (False, True)]
    chosen: list[tuple[_Chosen, ...]] = [(), *((one,) for one in filters)]
    return [(*one, ("cursor", str(place))) for one in chosen for place in places]


def _review() -> Iterator[Case]:
    from detection.models import Detection

    middle = Detection.objects.order_by("pk")[Detection.objects.count() // 2].uuid
    from detection.review.queues.registry import KINDS

    for order in KINDS:
        for class_name in ("", *_classes()):
            for reviewed in ("0", "1"):
                chosen = (("order", order), ("class", class_name), ("reviewed", reviewed))
                yield from _of("review queue", "/api/review/queue", [chosen, (*chosen, ("after", str(middle)))])
                yield from _of("review page", "/review/", [chosen])


def _admin() -> Iterator[Case]:
    frequent, rare = _classes()
    filters = [
        *(("review", value) for value in ("open", "done", "rejected", "changed", "added")),
        *(("class", value) for value in (frequent, rare)),
        *(("period", value) for value in ("day", "year")),
        *(("source", value) for value in ("api", "websocket", "redetect")),
        *(("engine", value) for value in ("openvino", "mxnet")),
    ]
    chosen = [(), (("p", "200"),), (("o", "7"),), *((one,) for one in filters), *_pairs(filters)]
    yield from _of("admin's list", "/admin/detection/detection/", chosen)
    yield from _search()


def _search() -> Iterator[Case]:
    """Return searches: by the beginning of many names, of one, of none, by a detection's id, and within a filter."""
    from detection.models import Detection

    detection = Detection.objects.select_related("photo").order_by("pk")[0]
    name = detection.photo.original_name
    texts = (name[:2], name, "no such name", str(detection.uuid), detection.photo.sha256, detection.model_name)
    chosen = [(("q", text), *more) for text in texts for more in ((), (("review", "done"),), (("period", "day"),))]
    yield from _of("admin's search", "/admin/detection/detection/", chosen)
    yield from _of("admin's search", "/admin/detection/photo/", [(("q", text),) for text in texts])


def _numbers() -> Iterator[Case]:
    from detection.models import Detection
    from detection.statistics.periods import LENGTHS

    model = Detection.objects.values_list("model_name", flat=True)[0]
    narrowed: list[tuple[_Chosen, ...]] = [(), (("source", "api"),), (("source", "websocket"),), (("model", model),)]
    chosen = [(("period", length), *one) for length in LENGTHS for one in narrowed]
    yield from _of("dashboard", "/dashboard/", chosen)
    yield from _of("numbers, API", "/api/statistics/", chosen)


def _of(about: str, path: str, chosen: Sequence[tuple[_Chosen, ...]]) -> Iterator[Case]:
    for one in chosen:
        yield Case(about, f"{path}?{urlencode(one)}" if one else path)


def _spent(path: str) -> Spent:
    """Time the view behind an address, as a user who may see everything."""
    from django.contrib.auth.models import User
    from django.contrib.messages.storage.fallback import FallbackStorage
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from django.db import connection
    from django.template.response import TemplateResponse
    from django.test import RequestFactory
    from django.urls import resolve

    request = RequestFactory().get(path, SERVER_NAME="localhost")
    request.user = User(username="bench", is_staff=True, is_superuser=True)
    request.session = SessionStore()
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]  # as its middleware does
    queries_s = [0.0]
    plain = connection.make_cursor
    with mock.patch.object(connection, "make_cursor", lambda cursor: _Clock(plain(cursor), queries_s)):
        begun = time.perf_counter()
        view, positional, named = resolve(request.path_info)
        response = view(request, *positional, **named)
        if isinstance(response, TemplateResponse):
            response.render()
        answer_s = time.perf_counter() - begun
    if response.status_code not in {200, 302}:
        raise RuntimeError(f"{path} is answered with {response.status_code}.")
    return Spent(answer_s * 1000, max(queries_s) * 1000)


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("lists", (__doc__ or "").partition("\n")[0], measure, rounds=11, arguments=arguments)


if __name__ == "__main__":
    main()
