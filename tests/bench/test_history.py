"""The made history: it holds together as one that came in, also where it was copied by the database."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import F

from bench.history import rows
from bench.history.command import Command
from detection.history import indexing
from detection.history.recorder import Recorder
from detection.models import DetectedObject, Detection, ListEntry, Review, Tally, Verdict
from tests.support.records import record

DETECTIONS, DAYS = 101, 60
UNTIL = datetime(2026, 11, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four parts: one that is made, three copies of it, and one detection that is left over."""
    monkeypatch.setattr(rows, "MADE", 30)
    monkeypatch.setattr(rows, "CHUNK", 10)
    call_command(Command(), detections=DETECTIONS, days=DAYS, reviewed=0.5, until=UNTIL, verbosity=0)


def entries() -> Counter[tuple[Any, ...]]:
    names = [field.attname for field in ListEntry._meta.concrete_fields if not field.primary_key]
    return Counter(ListEntry.objects.values_list(*names))


def tallies() -> Counter[tuple[Any, ...]]:
    names = [field.attname for field in Tally._meta.concrete_fields if not field.primary_key]
    return Counter(Tally.objects.filter(count__gt=0).values_list(*names))


def test_there_are_as_many_as_asked_for_over_all_the_days(made: None) -> None:
    times = list(Detection.objects.order_by("created_at").values_list("created_at", flat=True))
    assert len(times) == DETECTIONS
    assert times[-1] <= UNTIL
    assert timedelta(days=DAYS * 0.75) < UNTIL - times[0] <= timedelta(days=DAYS)
    assert Detection.objects.values("uuid").distinct().count() == DETECTIONS


def test_copies_have_objects_and_reviews_of_their_own(made: None) -> None:
    assert not Verdict.objects.exclude(found=None).exclude(found__detection=F("detection")).exists()
    assert not Verdict.objects.exclude(detection__in=Review.objects.values("detection")).exists()
    reviewed, copied = Review.objects.filter(is_reviewed=True).count(), DETECTIONS // 4
    assert reviewed >= copied
    for detection in Detection.objects.all():
        found = DetectedObject.objects.filter(detection=detection, probability__gt=detection.threshold)
        assert found.count() == detection.reported_count


def test_lists_and_numbers_are_what_counting_anew_makes_of_it(made: None) -> None:
    found = entries(), tallies()
    indexing.rebuild()
    assert found == (entries(), tallies())


def test_what_comes_in_afterwards_has_a_number_of_its_own(made: None) -> None:
    recorder = Recorder()
    kept = recorder.submit(record()).result(60)
    recorder.close()
    assert Detection.objects.count() == DETECTIONS + 1
    assert Detection.objects.get(uuid=kept).objects_found.count() == 2


def test_made_ones_do_not_lie_among_others_unless_that_is_asked_for(made: None) -> None:
    with pytest.raises(CommandError, match=r"There are detections already.*--add"):
        call_command(Command(), detections=1)
    call_command(Command(), detections=1, add=True, seed=2)
    assert Detection.objects.count() == DETECTIONS + 1
