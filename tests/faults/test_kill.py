"""kill -9 in the middle of writes: what was answered is there, and nothing is half there.

FAULT_KILLS=100 kills that often (three times else).
"""

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from tests.faults.databases import Database, fresh_postgres, manage
from tests.faults.load import Load
from tests.faults.truth import Sent, check, photo
from tests.support.serving import running_server

KILLS = int(os.environ.get("FAULT_KILLS", "3"))
MAX_ANSWERS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with nullcontext(Database("", tmp_path)) if request.param == "sqlite" else fresh_postgres(tmp_path) as made:
        yield made


@pytest.mark.timeout(120 + 60 * KILLS)
def test_what_was_answered_outlives_kills(database: Database) -> None:
    sent, seeds, chance = Sent(), itertools.count(), random.Random(0)
    for _ in range(KILLS):
        with running_server(database.settings) as server:
            load = Load(server, sent, seeds)
            load.wait_for_more(chance.randint(1, MAX_ANSWERS))
            server.process.kill()
            server.process.wait()
            load.join()
        check(database, sent.answered)
    assert len(sent.answered) >= KILLS
    assert sent.refused == []
    with running_server(database.settings) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        ids = [*sent.answered][-20:]
        assert [client.get(f"/api/detections/{detection}/photo").status_code for detection in ids] == [200] * len(ids)


def test_orphans_of_a_kill_go_and_no_other_file(database: Database) -> None:
    sent = Sent()
    with running_server(database.settings) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert [sent.post(client, photo(seed)) for seed in range(3)] == [200] * 3
    lost = database.data_dir / "photos" / "ab" / f"{'ab' * 32}.jpg"
    lost.parent.mkdir(exist_ok=True)
    lost.write_bytes(photo(9))
    half = lost.with_name(f"{lost.name}.0123.part")
    half.write_bytes(photo(9)[:100])
    assert check(database, sent.answered) == {f"ab/{lost.name}", f"ab/{half.name}"}
    assert prune(database, "1h") == 0
    assert lost.exists()
    assert prune(database, "0h") == 0
    assert check(database, sent.answered) == set()


def prune(database: Database, grace: str) -> int:
    """`manage.py prune --orphans`; its exit status."""
    return manage(database, "prune", "--orphans", "--grace", grace)
