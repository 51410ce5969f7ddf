"""Demo history: loaded once, reviewed in part, counted in lists and statistics, and removed without a trace."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from detection.accounts.access import ANYBODY, Caller
from detection.conf import Config
from detection.demo import service
from detection.demo.variants import COUNT, DAYS, variants
from detection.errors import RequestError
from detection.models import Detection, ListEntry, Photo, Review, Tally, Verdict
from detection.review.service import Reviewer
from tests.support.accounts import account
from tests.support.builders import stored_detection, stored_rows

SOMEBODY = Reviewer(name="demo")
pytestmark = pytest.mark.django_db(transaction=True)


def tallies() -> dict[tuple[object, ...], int]:
    rows = Tally.objects.exclude(count=0).values_list("kind", "span", "day", "class_name", "detail", "source", "count")
    return {row[:-1]: row[-1] for row in rows}


def test_photos_are_the_same_each_time_in_the_order_of_their_times() -> None:
    now = timezone.now()
    made = variants(now)
    times = [one.created_at for one in made]
    assert [one.data for one in made] == [one.data for one in variants(now)]
    assert len({one.data for one in made}) > COUNT - 5
    assert times == sorted(times)
    assert len(set(times)) == COUNT
    assert times[-1] < now
    assert now - times[0] > timedelta(days=DAYS - 2)


def test_history_is_filled_with_what_the_model_finds() -> None:
    assert service.load(ANYBODY, SOMEBODY) == COUNT
    assert service.demo_detections().count() == Detection.objects.count() == COUNT
    cats = ListEntry.objects.filter(class_name="cat", detection__photo__original_name__startswith="demo/chelsea")
    assert cats.count() >= 5
    assert Review.objects.filter(is_reviewed=True).count() == COUNT // 2
    kinds = set(Verdict.objects.values_list("kind", flat=True))
    assert {"confirmed", "added", "reviewed"} <= kinds
    assert kinds & {"relabelled", "rejected"}
    assert set(Photo.objects.values_list("brightness", flat=True)) != {None}


def test_removal_takes_all_of_it_and_nothing_else(stored_files: Callable[[], list[str]]) -> None:
    own = stored_detection(("cat", 0.9))
    before, counted = stored_rows(), tallies()
    service.load(ANYBODY, SOMEBODY)
    assert service.remove() == COUNT
    assert (stored_rows(), tallies()) == (before, counted)
    assert list(Detection.objects.all()) == [own]
    assert (Verdict.objects.count(), Review.objects.count(), stored_files()) == (0, 0, [])
    assert service.remove() == 0


def test_second_history_is_refused_while_the_first_is_there() -> None:
    service.load(ANYBODY, SOMEBODY)
    with pytest.raises(RequestError, match=r"loaded already\. Remove it first"):
        service.load(ANYBODY, SOMEBODY)
    assert Detection.objects.count() == COUNT
    service.remove()
    assert service.load(ANYBODY, SOMEBODY) == COUNT


def test_history_that_cannot_be_written_leaves_nothing(stored_files: Callable[[], list[str]]) -> None:
    with (
        mock.patch.object(service, "_review", side_effect=DatabaseError("disk full")),
        pytest.raises(DatabaseError),
    ):
        service.load(ANYBODY, SOMEBODY)
    assert stored_rows() == (0, 0, 0)
    assert stored_files() == []


def test_detections_belong_to_whoever_loads_them() -> None:
    user = get_user_model().objects.create_user("operator")
    service.load(Caller(user.pk, True), Reviewer(user.pk, "operator"))
    assert set(Detection.objects.values_list("owner", flat=True)) == {user.pk}
    assert set(Verdict.objects.values_list("reviewer", flat=True)) == {user.pk}


def test_empty_pages_offer_it_and_one_click_loads_and_removes_it(client: Client) -> None:
    for address in ("/", "/history/", "/review/", "/dashboard/"):
        assert "Load a demo history" in client.get(address).content.decode(), address
    loaded = client.post("/demo/load/", follow=True)
    assert "The demo history is loaded: 48 photos of the last four weeks." in loaded.content.decode()
    for address in ("/", "/history/"):
        page = client.get(address).content.decode()
        assert "Remove the demo history" in page
        assert "Load a demo history" not in page
    assert "loaded already" in client.post("/demo/load/", follow=True).content.decode()
    removed = client.post("/demo/remove/", follow=True)
    assert "The demo history is removed." in removed.content.decode()
    assert Detection.objects.count() == 0
    assert client.get("/demo/load/").status_code == 405


def test_page_with_photos_of_ones_own_does_not_offer_it(client: Client) -> None:
    stored_detection(("cat", 0.9))
    assert "Load a demo history" not in client.get("/").content.decode()


def test_only_staff_may_where_a_login_is_required(limits: Callable[..., Config]) -> None:
    limits(access="login")
    visitor = Client()
    visitor.force_login(account("visitor"))
    assert "Load a demo history" not in visitor.get("/").content.decode()
    assert visitor.post("/demo/load/").status_code == 403
    assert Detection.objects.count() == 0


def test_command_loads_and_removes() -> None:
    out = StringIO()
    call_command("demo", "load", stdout=out)
    with pytest.raises(CommandError, match="loaded already"):
        call_command("demo", "load")
    call_command("demo", "remove", stdout=out)
    assert out.getvalue().splitlines() == [
        "Loaded 48 detections. Take them out again with `demo remove`.",
        "Removed 48 detections of the demo history.",
    ]
