"""Queues that are filled: shadow, tiles, rare classes and unusual photos, each with its reason."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from detection.accounts.access import ANYBODY
from detection.history import trash
from detection.models import Detection, Photo, QueuePlace, QueueProgress, ShadowCount, ShadowRun
from detection.review.queue import Queue
from detection.review.queues import filling, unusual
from detection.review.queues.filling import fill
from detection.review.queues.registry import FILLERS, KINDS
from detection.review.service import Reviewer, judge, undo
from tests.history.test_query_plans import assert_in_order, steps_of, use_indexes
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
BY_NAME = {filler.name: filler for filler in FILLERS}


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Rows of this minute are looked at too."""
    with patch.object(filling, "_LATER", timedelta(0)):
        yield


def fill_all() -> None:
    for filler in FILLERS:
        fill(filler)


def reasons(name: str, class_name: str = "", **more: Any) -> list[str]:
    return [place.reason for place in Queue(KINDS[name], class_name, **more).after(ANYBODY, None, 20)]


def shadow_run(detection: Detection, only_answer: int, only_candidate: int) -> None:
    run = ShadowRun.objects.create(
        detection=detection, model_name="new", model_version="2", model_sha256="x", threshold=0.5,
        disagreements=only_answer + only_candidate,
    )  # fmt: skip
    counts = {"cat": (only_answer, 0), "dog": (0, only_candidate)}
    ShadowCount.objects.bulk_create(
        ShadowCount(run=run, class_name=name, matched=1, only_answer=ours, only_candidate=theirs, difference=0.0)
        for name, (ours, theirs) in counts.items()
    )


def test_photos_on_which_the_shadow_model_disagrees_come_with_what_it_found() -> None:
    for ours, theirs in ((1, 0), (0, 0), (0, 3)):
        shadow_run(stored_detection(("cat", 0.9)), ours, theirs)
    fill_all()
    fill_all()
    assert reasons("shadow") == [
        "Only the shadow model new@2 found: 3 \N{MULTIPLICATION SIGN} dog.",
        "The shadow model new@2 did not find: cat.",
    ]
    assert reasons("shadow", "cat") == reasons("shadow")
    assert reasons("shadow", "dog") == []


def of_photo(photo: Photo | None, *objects: tuple[str, float], tiles: str) -> Detection:
    detection = stored_detection(*objects, tile_grid=tiles)
    if photo is None:
        Photo.objects.filter(pk=detection.photo_id).update(sha256=f"{detection.pk:064x}")
    else:
        Detection.objects.filter(pk=detection.pk).update(photo=photo)
    return detection


@pytest.mark.parametrize("tiled_first", [True, False])
def test_photos_that_tiles_and_the_whole_see_differently_are_compared_whichever_came_first(tiled_first: bool) -> None:
    same = [("cat", 0.9), ("bird", 0.6)]
    other = [("cat", 0.9), ("dog", 0.7)]
    first = of_photo(None, *(same if tiled_first else other), tiles="2x2" if tiled_first else "")
    fill_all()
    assert reasons("tiles") == []
    second = of_photo(first.photo, *(other if tiled_first else same), tiles="" if tiled_first else "2x2")
    agreeing = of_photo(None, *same, tiles="2x2")
    of_photo(agreeing.photo, *same, tiles="")
    fill_all()
    (place,) = Queue(KINDS["tiles"]).after(ANYBODY, None, 20)
    assert place.detection == (first if tiled_first else second).uuid
    assert place.reason == (
        "Found in tiles, not in the whole photo: bird. Found in the whole photo, not with tiles: dog."
    )


@pytest.mark.parametrize("tiled_first", [True, False])
def test_photos_of_different_owners_are_not_compared(tiled_first: bool) -> None:
    first = of_photo(None, ("cat", 0.9), tiles="2x2" if tiled_first else "")
    second = of_photo(first.photo, ("dog", 0.9), tiles="" if tiled_first else "2x2")
    Detection.objects.filter(pk=first.pk).update(owner=account("owner"))
    Detection.objects.filter(pk=second.pk).update(owner=account("other"))
    fill_all()
    assert not QueuePlace.objects.filter(queue="tiles").exists()


def history(count: int = unusual.LEAST_PHOTOS, **fields: Any) -> None:
    """So many detections of one photo with a person and a car."""
    first = stored_detection(("person", 0.9), ("car", 0.9), **fields)
    Photo.objects.filter(pk=first.photo_id).update(brightness=120.0, sharpness=8.0)
    rows = [
        Detection(
            photo=first.photo, model_name=first.model_name, model_sha256="x", engine="x", device="x", precision="f32",
            threshold=0.5, reported_count=2, source="api",
        )
        for _ in range(count - 1)
    ]  # fmt: skip
    objects = list(first.objects_found.all())
    for detection in Detection.objects.bulk_create(rows):
        for found in objects:
            found.pk, found.detection_id = None, detection.pk
        type(objects[0]).objects.bulk_create(objects)


def test_rare_classes_and_unusual_photos_come_with_the_share_of_photos_that_were_alike() -> None:
    history()
    stored_detection(("zebra", 0.9))
    dark = stored_detection(("person", 0.9), ("car", 0.9))
    Photo.objects.filter(pk=dark.photo_id).update(brightness=12.0, sharpness=8.0)
    alike = stored_detection(("person", 0.9), ("car", 0.9))
    Photo.objects.filter(pk=alike.photo_id).update(brightness=121.0, sharpness=8.1)
    stored_detection(("unicorn", 0.9), source=Detection.Source.REDETECT)
    fill_all()
    assert reasons("rare") == ["Rare class zebra: in 0 of the 500 earlier photos."]
    assert reasons("unlike") == [
        "Unusual: its number of objects, 1, as in only 0 of the 500 earlier photos.",
        "Unusual: its brightness of 12 of 255, as in only 0 of the 501 earlier photos.",
    ]
    fill_all()
    assert QueuePlace.objects.count() == 3


def test_pair_of_classes_is_unusual_where_each_is_frequent_and_the_two_were_hardly_together() -> None:
    state: dict[str, Any] = {"photos": 1_000, "counts": {"class cat": 100, "class dog": 100, "class cow": 20}}
    assert unusual._is_telling(("pair", "cat + dog", ["cat", "dog"]), state)
    assert not unusual._is_telling(("pair", "cat + cow", ["cat", "cow"]), state)
    state["counts"]["pair cat + dog"] = 2
    assert not unusual._is_telling(("pair", "cat + dog", ["cat", "dog"]), state)


def test_nothing_is_unusual_among_the_first_photos_of_a_model() -> None:
    history(unusual.LEAST_PHOTOS - 1)
    stored_detection(("zebra", 0.9))
    stored_detection(("zebra", 0.9), model_version="2")
    fill_all()
    assert (reasons("rare"), reasons("unlike")) == ([], [])


def test_counts_of_older_photos_weigh_half_in_the_end() -> None:
    state = {"photos": unusual.MOST_PHOTOS - 1, "counts": {"a": 5, "b": 1}}
    unusual._count(state, ["a"])
    assert state == {"photos": unusual.MOST_PHOTOS // 2, "counts": {"a": 3}}


def test_place_is_done_when_its_photo_is_reviewed_and_again_open_when_that_is_undone() -> None:
    photos = [stored_detection(("cat", 0.9)) for _ in range(3)]
    judge(photos[0], 0, [], Reviewer(name="anna"), reviewed=True)
    for each in photos:
        shadow_run(each, 1, 0)
    fill_all()
    assert len(reasons("shadow")) == 2
    assert len(reasons("shadow", is_reviewed=True)) == 1
    judge(photos[1], 0, [], Reviewer(name="anna"), reviewed=True)
    assert len(reasons("shadow")) == 1
    undo(photos[1], 1, Reviewer(name="anna"))
    assert len(reasons("shadow")) == 2
    trash.remove(photos[1])
    assert len(reasons("shadow")) == 1


def test_rows_of_this_minute_wait_until_older_ones_may_have_come() -> None:
    old = stored_detection(("cat", 0.9), created_at=timezone.now() - timedelta(hours=1))
    stored_detection(("cat", 0.9))
    with patch.object(filling, "_LATER", timedelta(minutes=1)):
        assert fill(BY_NAME["tiles"]) == 1
    assert QueueProgress.objects.get(name="tiles").seen == old.pk


def test_second_server_changes_nothing() -> None:
    shadow_run(stored_detection(("cat", 0.9)), 1, 0)
    filler = BY_NAME["shadow"]
    before = filler.places

    def other_is_first(*given: Any) -> list[QueuePlace]:
        QueueProgress.objects.filter(name=filler.name).update(seen=10**6)
        return before(*given)

    with patch.object(filling, "rows_before", return_value=ShadowRun.objects.none().values_list("pk", flat=True)):
        fill(type(filler)(filler.name, filler.queues, filler.rows, other_is_first))
    assert not QueuePlace.objects.exists()


def test_long_history_is_looked_at_from_its_newest_part_on_and_read_by_key() -> None:
    photos = [stored_detection(("cat", 0.9)) for _ in range(4)]
    filler = BY_NAME["tiles"]
    with patch.object(filling, "NEWEST_ROWS", 2):
        assert fill(filler) == 2
    use_indexes("sort", "bitmapscan")
    assert_in_order(
        filling.rows_after(filler, photos[0].pk).explain(),
        r"USING INTEGER PRIMARY KEY \(rowid>\?\)|detection_detection_pkey",
    )
    # At most the newest rows are read, backwards by key.
    assert_in_order(filling.rows_before(filler).explain(), "SCAN detection_detection$|detection_detection_pkey")


def test_partners_of_tiled_photos_are_found_by_the_hash_of_the_photo() -> None:
    first = of_photo(None, ("cat", 0.9), tiles="")
    of_photo(first.photo, ("dog", 0.9), tiles="2x2")
    use_indexes()
    with CaptureQueriesContext(connection) as captured:
        fill(BY_NAME["tiles"])
    statements = [query["sql"] for query in captured.captured_queries if '"sha256" IN' in query["sql"]]
    assert statements
    for statement in statements:
        plan = steps_of(statement.replace("%", "%%"), ())
        assert "Seq Scan" not in plan
        assert "SCAN detection_detection" not in plan
