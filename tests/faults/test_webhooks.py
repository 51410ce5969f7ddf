"""kill -9 while webhooks are told of detections: each is told once, or again under the same id.

FAULT_KILLS=100 kills that often (twice else).
"""

import itertools
import os
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.faults.databases import Database, fresh_postgres, manage
from tests.faults.load import Load
from tests.faults.truth import Sent, check
from tests.support.receiver import receiver
from tests.support.serving import running_server

KILLS = int(os.environ.get("FAULT_KILLS", "2"))
_REPORTED = "SELECT uuid FROM detection_detection WHERE reported_count > 0"
_WAITING = "SELECT count(*) FROM detection_webhookevent"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with nullcontext(Database("", tmp_path)) if request.param == "sqlite" else fresh_postgres(tmp_path) as made:
        yield made


@pytest.mark.timeout(180 + 90 * KILLS)
def test_each_detection_is_told_once_or_under_the_same_id(database: Database) -> None:
    # At so low a threshold all noise has objects.
    settings = {**database.settings, "WEBHOOK_NETWORKS": "127.0.0.0/8", "PROBABILITY_MORE": "0.01"}
    sent, seeds, chance = Sent(), itertools.count(), random.Random(0)
    with receiver() as hook:
        assert manage(database, "migrate", "--verbosity", "0") == 0
        made = f"from detection.models import Webhook; Webhook.objects.create(url='{hook.url}', on_detection=True)"
        assert manage(database, "shell", "-c", made) == 0
        for _ in range(KILLS):
            with running_server(settings) as server:
                load = Load(server, sent, seeds)
                load.wait_for_more(chance.randint(1, 30))
                hook.wait_for(len(hook.messages) + chance.randint(1, 20), timeout_s=90)
                server.process.kill()
                server.process.wait()
                load.join()
        check(database, sent.answered)
        reported = {str(uuid.UUID(str(row[0]))) for row in database.rows(_REPORTED)}
        assert len(reported) >= KILLS
        with running_server(settings):
            told: defaultdict[str, set[str]] = defaultdict(set)
            while set(told) != reported:
                seen = len(hook.messages)
                for message in list(hook.messages):
                    told[message.event["data"]["id"]].add(message.id)
                assert set(told) <= reported
                if set(told) != reported:
                    hook.wait_for(seen + 1, timeout_s=90)
        repeated = len(hook.messages) - len({message.id for message in hook.messages})
    assert {len(ids) for ids in told.values()} == {1}
    # A kill repeats the one event that was being sent.
    assert repeated <= KILLS
    assert database.rows(_WAITING)[0][0] <= 1
    print(f"{len(reported)} detections, {KILLS} kills, {repeated} told twice")  # noqa: T201
