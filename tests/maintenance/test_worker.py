"""The server's own housekeeping: by the rules, one process at a time, and it outlives what goes wrong."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.utils import timezone

from detection.conf import Config, Retention
from detection.maintenance import expired_rows, worker
from detection.maintenance.retention import Pruned, RetentionError, Rules
from detection.maintenance.worker import ORPHANS_EVERY, BackgroundWorker, bulk_deletion_lock
from detection.models import Detection
from detection.predict import service as predict_service
from detection.serving import service as serving
from detector_site.lifespan import Lifespan
from tests.maintenance.test_orphans import aged
from tests.support.kept import keep

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60


@pytest.fixture
def data_dir(config: Config) -> Path:
    config.data_dir.mkdir(exist_ok=True)
    return config.data_dir


@contextmanager
def held_by_another(data_dir: Path) -> Iterator[None]:
    """Another thread has the lock: it has a connection of its own, as another process would."""
    has_it, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with bulk_deletion_lock(data_dir) as is_ours:
            assert is_ours
            has_it.set()
            assert ended.wait(WAIT_S)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(WAIT_S)
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_lock_is_for_one_at_a_time_and_free_afterwards(data_dir: Path) -> None:
    with held_by_another(data_dir), bulk_deletion_lock(data_dir) as is_ours:
        assert not is_ours
    with bulk_deletion_lock(data_dir) as is_ours:
        assert is_ours


def test_round_applies_the_rules_and_removes_orphans(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, young = keep(31, 1)
    default_storage.save("ab/lost.jpg", ContentFile(b"lost"))
    aged("ab/lost.jpg", 24 * 3600)
    with caplog.at_level("INFO"):
        BackgroundWorker(Rules(max_age=timedelta(days=30)), data_dir).run_once()
    assert Detection.objects.get().pk == young.pk
    assert not default_storage.exists("ab/lost.jpg")
    assert "Upkeep deleted 1 detections and 2 files" in caplog.text


def test_clock_that_has_jumped_deletes_nothing_by_age_for_a_day(
    data_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(3653, 3652, 3651)
    keeper = BackgroundWorker(Rules(max_age=timedelta(days=30), keep=2), data_dir)
    keeper.run_once()
    keeper.run_once()
    assert Detection.objects.count() == 2
    assert caplog.text.count("If the clock is right, detections are deleted by age from tomorrow on") == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 25 * 3600)
    keeper.run_once()
    assert Detection.objects.count() == 0


def test_round_leaves_it_to_another_process_that_is_at_it(data_dir: Path) -> None:
    keep(31)
    with held_by_another(data_dir):
        BackgroundWorker(Rules(keep=0), data_dir).run_once()
    assert Detection.objects.count() == 1


def test_round_with_nothing_to_do_says_nothing(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(1)
    with caplog.at_level("INFO"):
        BackgroundWorker(Rules(keep=1), data_dir).run_once()
    assert "Upkeep" not in caplog.text


def test_orphans_are_looked_for_now_and_then(data_dir: Path) -> None:
    running = BackgroundWorker(Rules(keep=1), data_dir)
    with mock.patch("detection.maintenance.orphans.files_without_rows", return_value=[]) as looked:
        for _ in range(ORPHANS_EVERY + 1):
            running.run_once()
    assert looked.call_count == 2


def test_stop_is_heard_between_two_orphans(data_dir: Path) -> None:
    running = BackgroundWorker(Rules(keep=1), data_dir, every_s=WAIT_S)
    running.start()
    running.stop()
    default_storage.save("ab/lost.jpg", ContentFile(b"lost"))
    aged("ab/lost.jpg", 24 * 3600)
    running.run_once()
    assert default_storage.exists("ab/lost.jpg")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RetentionError("Make room on the disk."), "Upkeep: Make room on the disk."),
        (OperationalError("database is locked"), "The background worker failed; it is tried again"),
    ],
    ids=["cannot be reached", "database is locked"],
)
def test_thread_outlives_a_round_that_fails(
    error: Exception, said: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again = threading.Event()
    outcomes = iter([error])

    def prune(*_: Any, **__: Any) -> Any:
        for failure in outcomes:
            raise failure
        again.set()
        return Pruned()

    running = BackgroundWorker(Rules(keep=1), data_dir, every_s=0.01)
    with mock.patch.object(worker, "prune", prune):
        running.start()
        assert again.wait(WAIT_S)
        running.stop()
    assert said in caplog.text


async def lifespan() -> list[str]:
    """One life of the server: what it sends."""
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await Lifespan()({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize("rule", [{"retention": Retention(days=30)}, {}], ids=["a rule", "no rule"])
def test_server_keeps_house(rule: dict[str, Retention], limits: Any) -> None:
    limits(**rule)
    with (
        mock.patch.object(serving, "start"),
        mock.patch.object(predict_service, "stop"),
        mock.patch.object(BackgroundWorker, "start") as started,
        mock.patch.object(BackgroundWorker, "stop") as stopped,
    ):
        assert asyncio.run(lifespan()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (started.call_count, stopped.call_count) == (1, 1)


def test_without_a_rule_nothing_is_pruned(data_dir: Path) -> None:
    with mock.patch.object(worker, "prune") as prune:
        BackgroundWorker(Rules(), data_dir).run_once()
    assert prune.call_count == 0


def test_expired_sessions_are_removed_without_any_rule(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expired_rows, "CHUNK", 2)
    now = timezone.now()
    for number in range(7):
        expires = now + timedelta(hours=1 if number < 2 else -1)
        Session.objects.create(session_key=str(number), session_data="", expire_date=expires)
    upkeep = BackgroundWorker(Rules(), data_dir)
    upkeep.run_once()
    assert sorted(Session.objects.values_list("pk", flat=True)) == ["0", "1"]
    Session.objects.update(expire_date=now - timedelta(hours=1))
    upkeep.run_once()
    assert Session.objects.count() == 2, "once an hour"
