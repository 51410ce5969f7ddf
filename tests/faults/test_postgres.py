"""PostgreSQL itself is stopped under load, as by a power failure: 200 or 503, and what was promised is there."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.databases import Database
from tests.faults.load import CLIENTS, Load
from tests.faults.own_servers import OwnPostgres, is_up, own_postgres
from tests.faults.truth import Sent, check
from tests.support.serving import running_server

ROUNDS = 3


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[OwnPostgres, Database]]:
    # pytest's folders are closed to the user of PostgreSQL.
    with tempfile.TemporaryDirectory() as folder, own_postgres(Path(folder), tmp_path) as made:
        yield made


@pytest.mark.timeout(600)
def test_postgresql_that_is_stopped_under_load_loses_nothing(own: tuple[OwnPostgres, Database]) -> None:
    postgres, database = own
    sent = Sent()
    with (
        running_server(database.settings) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        load = Load(server, sent, itertools.count())
        for _ in range(ROUNDS):
            load.wait_for_more(CLIENTS)
            postgres.stop()
            assert not is_up(database.url)
            refused = len(sent.refused)
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
            load.wait_for_refusals(refused + CLIENTS)
            postgres.start()
            # It recovers by itself.
            load.wait_for_more(CLIENTS)
            assert client.get("/readyz").status_code == 200
        ids = [*sent.answered][-10:]
        shown = [client.get(f"/api/detections/{detection}/photo").status_code for detection in ids]
        server.process.kill()
        server.process.wait()
        load.join()
    assert shown == [200] * len(ids)
    assert {status for status, _ in sent.refused} == {503}
    assert len(sent.answered) >= 2 * ROUNDS * CLIENTS
    check(database, sent.answered)
