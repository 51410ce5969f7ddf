"""Retention: the oldest first, rows before files, and never more than was asked for."""

from collections import namedtuple
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from detection.conf import Config, load_config
from detection.maintenance import retention
from detection.maintenance.retention import BATCH, Pruned, RetentionError, Rules, prune, stored_bytes
from detection.models import Detection, Photo
from detection.photos import store as photo_store
from tests.support.builders import stored_rows
from tests.support.kept import has_file, keep

pytestmark = pytest.mark.django_db(transaction=True)
DISK = namedtuple("DISK", "total used free")


@pytest.fixture
def data_dir(config: Config) -> Path:
    config.data_dir.mkdir(exist_ok=True)
    return config.data_dir


def left() -> list[int]:
    """Primary keys of the detections that stayed."""
    return sorted(Detection.objects.values_list("pk", flat=True))


def size_of(detection: Detection) -> int:
    return detection.photo.size_bytes


def test_detections_above_an_age_go_with_their_photos(data_dir: Path, stored_files: Any) -> None:
    old, young = keep(31, 29)
    pruned = prune(Rules(max_age=timedelta(days=30)), data_dir)
    assert pruned == Pruned(1, 1, size_of(old))
    assert left() == [young.pk]
    assert stored_files() == [young.photo.file]
    assert stored_rows() == (1, 1, 2)


def test_newest_ones_are_kept_by_number_whatever_their_order_in_the_table(data_dir: Path) -> None:
    first, second, third = keep(1, 3, 2)
    assert prune(Rules(keep=1), data_dir).detections == 2
    assert left() == [first.pk]
    assert [has_file(one) for one in (first, second, third)] == [True, False, False]


def test_oldest_ones_go_until_the_photos_are_small_enough(data_dir: Path) -> None:
    oldest, middle, newest = keep(3, 2, 1)
    limit = size_of(middle) + size_of(newest)
    assert prune(Rules(max_bytes=limit), data_dir).detections == 1
    assert left() == [middle.pk, newest.pk]
    assert stored_bytes() <= limit
    assert not has_file(oldest)


def test_photo_that_is_shared_frees_nothing_so_more_have_to_go(data_dir: Path, stored_files: Any) -> None:
    _, _, third, newest = keep(4, 3, 2, 1, contents=[0, 0, 1, 0])
    pruned = prune(Rules(max_bytes=size_of(newest)), data_dir)
    assert (pruned.detections, pruned.files) == (3, 1)
    assert left() == [newest.pk]
    assert stored_files() == [newest.photo.file]
    assert not has_file(third)


def test_oldest_ones_go_until_the_disk_has_room(data_dir: Path) -> None:
    oldest, middle, newest = keep(3, 2, 1)
    free = iter([1000, 1000, 1000 + size_of(oldest) + size_of(middle)])
    with mock.patch("shutil.disk_usage", side_effect=lambda _: DISK(0, 0, next(free))):
        pruned = prune(Rules(min_free_bytes=1001 + size_of(oldest)), data_dir)
    assert pruned.detections == 2
    assert left() == [newest.pk]


def test_room_that_the_deletion_itself_takes_is_no_error_after_it(data_dir: Path) -> None:
    only = keep(3)[0]
    # What is taken out of the database is written to its journal first.
    free = iter([1000, 1000, 900, 900])
    with mock.patch("shutil.disk_usage", side_effect=lambda _: DISK(0, 0, next(free))):
        assert prune(Rules(min_free_bytes=1000 + size_of(only)), data_dir).detections == 1
    assert left() == []


def test_disk_that_somebody_else_has_filled_costs_no_detection(data_dir: Path) -> None:
    keep(3, 2)
    with (
        mock.patch("shutil.disk_usage", return_value=DISK(0, 0, 10)),
        pytest.raises(RetentionError, match=r"10 bytes are free and 10,000,000 are asked for.*Nothing was deleted"),
    ):
        prune(Rules(min_free_bytes=10_000_000, keep=0), data_dir)
    assert len(left()) == 2


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(), id="no rule"),
        pytest.param(Rules(max_age=timedelta(days=5)), id="all are young"),
        pytest.param(Rules(keep=3), id="few enough"),
        pytest.param(Rules(max_bytes=10**9), id="small enough"),
        pytest.param(Rules(min_free_bytes=1), id="enough room"),
    ],
)
def test_what_the_rules_let_stay_stays(rules: Rules, data_dir: Path) -> None:
    keep(3, 2, 1)
    assert prune(rules, data_dir) == Pruned()
    assert len(left()) == 3


def test_several_rules_all_hold_afterwards(data_dir: Path) -> None:
    kept = keep(40, 20, 10, 5)
    prune(Rules(max_age=timedelta(days=30), keep=2), data_dir)
    assert left() == [kept[2].pk, kept[3].pk]


def test_photo_stays_as_long_as_another_detection_has_it(data_dir: Path) -> None:
    old, young = keep(3, 1)
    lone = young.photo
    Detection.objects.filter(pk=young.pk).update(photo=old.photo)
    lone.delete()
    assert prune(Rules(keep=1), data_dir).files == 0
    assert left() == [young.pk]
    assert Photo.objects.get().pk == old.photo.pk
    assert has_file(old)


def test_batches_are_short_transactions_and_all_of_them_go(data_dir: Path) -> None:
    keep(5, 4, 3, 2, 1)
    with mock.patch.object(retention, "BATCH", 2), CaptureQueriesContext(connection) as queries:
        assert prune(Rules(keep=0), data_dir).detections == 5
    deletions = [query for query in queries if 'DELETE FROM "detection_detection"' in query["sql"]]
    assert len(deletions) == 3
    assert stored_rows() == (0, 0, 0)


def test_batch_needs_as_many_queries_as_one_detection(data_dir: Path) -> None:
    counts = []
    for number in (1, 20):
        keep(*range(1, number + 1))
        with mock.patch.object(photo_store, "discard_unused"), CaptureQueriesContext(connection) as queries:
            prune(Rules(max_age=timedelta(0)), data_dir)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert BATCH >= 20


def test_stop_is_heard_between_two_batches(data_dir: Path) -> None:
    keep(5, 4, 3)
    asked = iter([False, True, True, True])
    with mock.patch.object(retention, "BATCH", 1):
        assert prune(Rules(keep=0), data_dir, is_stopped=lambda: next(asked)).detections == 1
    assert len(left()) == 2


def test_dry_run_deletes_nothing_and_tells_the_same_numbers(data_dir: Path) -> None:
    keep(3, 2, 1)
    told = prune(Rules(keep=1), data_dir, dry_run=True)
    assert len(left()) == 3
    assert prune(Rules(keep=1), data_dir) == told


def test_rules_of_the_server_are_its_settings() -> None:
    chosen = load_config({"RETENTION": "days:30,count:1000,free:5000"})
    assert chosen.problems == ()
    assert Rules.of(chosen) == Rules(timedelta(days=30), 1000, None, 5000)
    assert Rules.of(load_config({})).is_empty


@pytest.mark.parametrize("name", ["days", "count", "free"])
@pytest.mark.parametrize("value", ["-1", "many", "1e3"])
def test_setting_that_is_no_number_is_a_problem(name: str, value: str) -> None:
    (problem,) = load_config({"RETENTION": f"{name}:{value}"}).problems
    assert problem.message == f"RETENTION is '{name}:{value}', which cannot be used."


def pruned_by_command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("prune", *arguments)
    return capsys.readouterr().out


def test_command_says_what_it_deleted(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, _ = keep(31, 1)
    said = pruned_by_command("--older-than", "30d", capsys=capsys)
    assert said == f"Deleted 1 detections and 1 photos ({size_of(old):,} bytes).\n"
    assert len(left()) == 1


def test_clock_that_has_jumped_deletes_nothing(data_dir: Path) -> None:
    keep(3652, 3651)
    with pytest.raises(CommandError, match=r"clock says .* the newest detection is of .* Nothing was deleted.*--yes"):
        call_command("prune", "--older-than", "30d")
    assert len(left()) == 2


def test_clock_is_right_where_the_operator_says_so(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(40, 31)
    assert pruned_by_command("--older-than", "30d", "--yes", capsys=capsys).startswith("Deleted 2 detections")


def test_other_limits_do_not_depend_on_the_clock(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(3652, 3651)
    assert pruned_by_command("--keep", "1", capsys=capsys).startswith("Deleted 1 detections")


def test_command_may_only_say_it(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(3, 2)
    said = pruned_by_command("--keep", "0", "--dry-run", capsys=capsys)
    assert said.startswith("Would delete 2 detections and 2 photos")
    assert len(left()) == 2


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["--older-than", "12h"], Rules(max_age=timedelta(hours=12))),
        (["--older-than", "8w"], Rules(max_age=timedelta(weeks=8))),
        (["--max-bytes", "20GB"], Rules(max_bytes=20_000_000_000)),
        (["--max-bytes", "500mb"], Rules(max_bytes=500_000_000)),
        (["--min-free", "5T"], Rules(min_free_bytes=5_000_000_000_000)),
        (["--keep", "100000", "--min-free", "10"], Rules(keep=100_000, min_free_bytes=10)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_command_reads_ages_and_sizes(arguments: list[str], rules: Rules, data_dir: Path) -> None:
    with mock.patch("detection.management.commands.prune.prune", return_value=Pruned()) as called:
        call_command("prune", *arguments)
    assert called.call_args.args[0] == rules


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say what may stay"),
        (["--older-than", "30"], "30 is no age"),
        (["--older-than", "99999w"], "99999w is no age"),
        (["--keep", "-1"], "-1"),
        (["--keep", "few"], "few is no count"),
        (["--max-bytes", "5 GB"], "5 GB is no size"),
        (["--min-free", "1PB"], "1PB is no size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_command_that_makes_no_sense_says_what_to_do(arguments: list[str], sentence: str, data_dir: Path) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("prune", *arguments)


def test_command_waits_for_no_other_process(data_dir: Path) -> None:
    with mock.patch("detection.management.commands.prune.bulk_deletion_lock") as lock:
        lock.return_value.__enter__.return_value = False
        with pytest.raises(CommandError, match="Another process is deleting already"):
            call_command("prune", "--keep", "0")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RetentionError("Make room."), "Make room."),
        (OperationalError("database is locked"), "database is locked. What was deleted so far is deleted"),
    ],
    ids=["cannot be reached", "locked"],
)
def test_command_that_fails_says_why(error: Exception, sentence: str, data_dir: Path) -> None:
    with (
        mock.patch("detection.management.commands.prune.prune", side_effect=error),
        pytest.raises(CommandError) as failed,
    ):
        call_command("prune", "--keep", "0")
    assert str(failed.value).startswith(sentence)


def test_rules_are_values() -> None:
    assert replace(Rules(keep=1), keep=None).is_empty
