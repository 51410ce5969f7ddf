"""Numbers of the history: whatever is asked for, they are what counting the rows themselves gives."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.models import F, QuerySet
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from bench.history.copies import add_up_months
from detection.conf import Config
from detection.history import counters, deletion, indexing
from detection.history.annotations import objects_of, with_verdicts
from detection.models import DetectedObject, Detection, Tally, Verdict
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from detection.statistics import queries
from detection.statistics.periods import Bucket, start_of
from detection.statistics.queries import Scope
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
END = date(2026, 3, 20)
COLUMNS = ("kind", "span", "day", "class_name", "detail", "source", "model_name", "owner_id")
CLASSES = ("cat", "dog", "horse", "zebra")
PERIODS = {
    "all": (None, None),
    "days": (END - timedelta(days=29), END),
    "one day": (date(2026, 2, 3), date(2026, 2, 3)),
    "months and cut ones": (date(2025, 9, 10), date(2026, 3, 11)),
    "whole months": (date(2025, 9, 1), date(2026, 2, 28)),
    "from": (date(2025, 12, 24), None),
    "to": (None, date(2026, 1, 31)),
    "nothing": (date(2020, 1, 1), date(2020, 1, 5)),
}
FILTERS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "source": {"source": "page"},
    "model": {"model_name": "nanodet_plus_m"},
    "owner": {"owner_id": "of the first user"},
}


@pytest.fixture(scope="module")
def committed_history(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, session_config: Config
) -> Iterator[int]:
    """A hundred detections over 300 days, made once for all tests; each of them takes back what it changes."""
    with django_db_blocker.unblock(), override_settings(DETECTOR=session_config):
        yield make_history()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def history(committed_history: int, db: None) -> int:
    """The id of a user who owns some of the detections."""
    return committed_history


def make_history() -> int:
    """Make a hundred detections over 300 days, a third of them reviewed, one deleted; return a user who owns some."""
    user = get_user_model().objects.create_user("owner").pk
    for number in range(100):
        objects = [(CLASSES[(number * 7 + place * 3) % 4], 0.98 - place * 0.11) for place in range(number % 6)]
        made = stored_detection(
            *objects,
            created_at=datetime(END.year, END.month, END.day, 23, 59, tzinfo=UTC) - timedelta(days=number * 3),
            source=("api", "page", "command")[number % 3],
            model_name=("mobilenet_ssd_voc", "nanodet_plus_m")[number % 2],
            owner_id=user if number % 5 == 0 else None,
        )
        if number % 3 == 0 and objects:
            said = [
                Statement("0", "relabelled", "cow"),
                Statement(None, "added", "sheep", made.objects_found.all()[0].box),
            ]
            review_service.judge(made, 0, said if number % 2 else [], Reviewer(), reviewed=True)
    deletion.delete_detection(Detection.objects.filter(source="page").order_by("-created_at")[0])
    return int(user)


@pytest.fixture(params=[(period, chosen) for period in PERIODS for chosen in FILTERS], ids=" of ".join)
def scope(request: pytest.FixtureRequest, history: int) -> Scope:
    period, chosen = request.param
    more = FILTERS[chosen] | ({"owner_id": history} if chosen == "owner" else {})
    return Scope(*PERIODS[period], **more)


def counted(scope: Scope) -> Iterator[Detection]:
    """The detections of a scope, from their own rows."""
    for detection in with_verdicts(Detection.objects.all()):
        day = detection.created_at.date()
        if (
            (scope.first is None or day >= scope.first)
            and (scope.last is None or day <= scope.last)
            and scope.source in {"", detection.source}
            and scope.model_name in {"", detection.model_name}
            and scope.owner_id in {None, detection.owner_id}
        ):
            yield detection


def reported(detection: Detection) -> list[DetectedObject]:
    return [found for found in detection.objects_found.all() if found.probability > detection.threshold]


def test_photos_are_those_of_the_history(scope: Scope) -> None:
    photos: Counter[date] = Counter()
    empty: Counter[date] = Counter()
    for detection in counted(scope):
        start = start_of(scope.bucket, detection.created_at.date())
        photos[start] += 1
        empty[start] += not reported(detection)
    found = queries.photos_over_time(scope)
    assert {start: (count.photos, count.empty) for start, count in found.items()} == {
        start: (count, empty[start]) for start, count in photos.items()
    }
    assert list(found) == sorted(found)


def test_objects_are_those_of_the_history(scope: Scope) -> None:
    rows = [(detection, found) for detection in counted(scope) for found in reported(detection)]
    assert queries.objects_by_class(scope) == Counter(found.class_name for _, found in rows)
    assert queries.objects_over_time(scope) == Counter(
        (start_of(scope.bucket, detection.created_at.date()), found.class_name) for detection, found in rows
    )
    assert queries.objects_over_time(scope, ["cat", "dog"]) == Counter(
        (
            start_of(scope.bucket, detection.created_at.date()),
            found.class_name if found.class_name in {"cat", "dog"} else queries.OTHERS,
        )
        for detection, found in rows
    )
    bins = Counter(min(int(found.probability * 20), 19) for _, found in rows)
    assert queries.scores(scope) == tuple(bins[place] for place in range(20))


def test_verdicts_are_those_of_the_history(scope: Scope) -> None:
    judged: Counter[tuple[str, str]] = Counter()
    relabelled: Counter[tuple[str, str]] = Counter()
    added: Counter[str] = Counter()
    for detection in counted(scope):
        for one in objects_of(detection):
            if one.found is None:
                added[one.class_name] += 1
            elif one.kind:
                judged[one.found.class_name, one.kind] += 1
                if one.kind == Verdict.Kind.RELABELLED:
                    relabelled[one.found.class_name, one.class_name] += 1
    said = queries.verdicts(scope)
    kinds = ("confirmed", "corrected", "rejected", "relabelled")
    assert {
        (one.class_name, kind): getattr(one, kind) for one in said.judged for kind in kinds if getattr(one, kind)
    } == judged
    assert (said.relabelled, said.added) == (relabelled, added)
    assert said.together.total == judged.total()
    assert [one.total for one in said.judged] == sorted((one.total for one in said.judged), reverse=True)


def test_months_are_the_sums_of_their_days_also_when_they_are_made_anew(history: int) -> None:
    def months() -> dict[tuple[Any, ...], int]:
        rows = Tally.objects.filter(span=Tally.Span.MONTH).exclude(count=0)
        return {tuple(key): count for *key, count in rows.values_list(*COLUMNS, "count")}

    kept = months()
    assert len(kept) > 100
    add_up_months()
    assert months() == kept
    indexing.rebuild()
    assert months() == kept


def test_tallies_from_before_are_told_apart_and_added_up(history: int) -> None:
    """As the migration finds them: a row of a day for each class and twentieth together."""
    now = Counter({tuple(key): count for *key, count in Tally.objects.exclude(count=0).values_list(*COLUMNS, "count")})
    Tally.objects.filter(span=Tally.Span.MONTH).delete()
    Tally.objects.filter(kind__in=(Tally.Kind.OBJECT, Tally.Kind.SCORE)).delete()
    for detection in Detection.objects.all():
        for found in reported(detection):
            key = counters.key_of(detection, Tally.Kind.OBJECT, found.class_name, counters.score_bin(found.probability))
            row, _ = Tally.objects.get_or_create(**key._asdict(), span=Tally.Span.DAY, defaults={"count": 0})
            Tally.objects.filter(pk=row.pk).update(count=F("count") + 1)
    migration = import_module("detection.migrations.0012_tallies_of_months")
    migration.count_apart(apps, SimpleNamespace(connection=connection))
    migration.add_up_months(apps, None)
    rows = Tally.objects.exclude(count=0).values_list(*COLUMNS, "count")
    assert Counter({tuple(key): count for *key, count in rows}) == now


def test_classes_are_those_that_are_there_and_not_deleted(history: int) -> None:
    def there(detections: QuerySet[Detection]) -> list[str]:
        judged = [one for detection in with_verdicts(detections) for one in objects_of(detection)]
        return sorted({one.class_name for one in judged if one.is_there})

    kept = Detection.objects.filter(removal=None)
    assert counters.class_names() == there(kept)
    assert set(counters.class_names()) > set(CLASSES)
    assert counters.class_names(history) == there(kept.filter(owner_id=history))
    assert counters.class_names(history + 1) == []
    for detection in Detection.objects.filter(entries__class_name="horse").distinct():
        deletion.delete_detection(detection)
    assert "horse" not in counters.class_names()


def test_models_are_those_that_have_answered(history: int) -> None:
    assert queries.model_names() == ["mobilenet_ssd_voc", "nanodet_plus_m"]
    stored_detection(model_name="yolox", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert queries.model_names() == ["mobilenet_ssd_voc", "nanodet_plus_m", "yolox"]
    assert queries.model_names(history) == ["mobilenet_ssd_voc", "nanodet_plus_m"]


def test_bucket_is_that_of_the_period() -> None:
    assert Scope(END, END).bucket == Bucket.DAY
    assert Scope().bucket == Bucket.MONTH
