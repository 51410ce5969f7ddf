"""Background worker of the running server: empties the trash every minute and removes expired sessions and
keys of review steps every hour;
where an operator has set a limit, applies retention every minute and removes orphans left by kills every hour.

Of several servers on one database only one works at a time. It runs on a thread of its own and in short transactions;
it delays no request.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import connection

from detection.conf import Config
from detection.history import trash
from detection.inference.periodic import PeriodicThread
from detection.maintenance import batch_lists, expired_rows, orphans
from detection.maintenance.file_lock import try_lock
from detection.maintenance.retention import Pruned, RetentionError, Rules, clock_problem, prune
from detection.program import PROGRAM

logger = logging.getLogger(__name__)

EVERY_S = 60.0
# A person had a day to see the warning about the clock.
_TRUSTED_AFTER_S = 24 * 3600.0
# It lists all files.
ORPHANS_EVERY = 60
# A number of our own for PostgreSQL's advisory locks: the first bytes of sha256(b"detection.upkeep").
_LOCK_KEY = 0x66F594E8


@contextmanager
def bulk_deletion_lock(data_dir: Path) -> Iterator[bool]:
    """Hold the database's lock for bulk deletion; yield False at once if another process has it.

    PostgreSQL: an advisory lock of the connection, which the server releases when the connection ends, however it
    ends. SQLite: a file beside the database.
    """
    if connection.vendor != "postgresql":
        with try_lock(data_dir / "upkeep.lock") as is_ours:
            yield is_ours
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK_KEY])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK_KEY])


@contextmanager
def background_worker(config: Config) -> Iterator[None]:
    """Run the background worker while the block runs."""
    worker = BackgroundWorker(Rules.of(config), config.data_dir)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


class BackgroundWorker:
    """Thread that applies the rules periodically."""

    def __init__(self, rules: Rules, data_dir: Path, every_s: float = EVERY_S) -> None:
        self._rules = rules
        self._data_dir = data_dir
        self._rounds = 0
        self._started_s = time.monotonic()
        self._has_warned = False
        self._thread = PeriodicThread("background worker", self._round, every_s)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the current deletion is committed."""
        self._thread.stop()

    def run_once(self) -> None:
        """Empty the trash, and remove expired rows when due; where there are limits, apply them and remove orphans.

        Does nothing while another process does it.
        """
        with bulk_deletion_lock(self._data_dir) as is_ours:
            if not is_ours:
                return
            trash.finish_due()
            is_hourly = self._rounds % ORPHANS_EVERY == 0
            self._rounds += 1
            if is_hourly:
                expired_rows.remove_expired(self._thread.is_stopping)
            if self._rules.is_empty:
                return
            pruned = prune(self._trusted_rules(), self._data_dir, is_stopped=self._thread.is_stopping)
            if self._rules.max_age is not None:
                batch_lists.remove_older_than(self._trusted_rules().max_age, self._thread.is_stopping)
            if is_hourly:
                pruned.add(self._remove_orphans())
        if pruned != Pruned():
            logger.info(
                "Upkeep deleted %d detections and %d files of %d bytes.", pruned.detections, pruned.files, pruned.bytes
            )

    def _trusted_rules(self) -> Rules:
        """Return the rules; in the first day without that of age where the clock may have jumped."""
        if time.monotonic() - self._started_s > _TRUSTED_AFTER_S or not (problem := clock_problem(self._rules)):
            return self._rules
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%s If the clock is right, detections are deleted by age from tomorrow on, or now by `%s prune "
                "--older-than ... --yes`. If it is wrong, set it.",
                problem,
                PROGRAM,
            )
        return replace(self._rules, max_age=None)

    def _remove_orphans(self) -> Pruned:
        removed = Pruned()
        for file in orphans.files_without_rows():
            if self._thread.is_stopping():
                break
            orphans.remove(file)
            removed.add(Pruned(0, 1, file.size_bytes))
        return removed

    def _round(self) -> None:
        try:
            self.run_once()
        except RetentionError as error:
            logger.error("Upkeep: %s", error)
        finally:
            connection.close()
