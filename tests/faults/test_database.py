"""A database that is locked or gone: 503 with a sentence, nothing half there, and all is well when it is back."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection, connections
from django.test import Client

from detection.predict import service as predict_service
from tests.faults.databases import Database, fresh_postgres
from tests.faults.load import CLIENTS, Load
from tests.faults.proxy import Proxy
from tests.faults.truth import Sent, check, photo
from tests.support import photos
from tests.support.builders import stored_rows
from tests.support.serving import running_server

NOT_KEPT = "The detection could not be kept: the database cannot be written now. Nothing was stored; try again later."


@pytest.fixture
def impatient(model: None) -> Iterator[None]:
    """Waits a tenth of a second for a lock, in the connections that are opened from now on."""
    if connection.vendor != "sqlite":
        pytest.skip("needs SQLite: PostgreSQL locks rows, not databases")
    predict_service._lazy_recorder.recorder().close()
    predict_service._lazy_recorder._recorder = None
    with mock.patch.dict(connections.settings["default"]["OPTIONS"], {"timeout": 0.1}):
        yield
        predict_service._lazy_recorder.recorder().close()
        predict_service._lazy_recorder._recorder = None


@pytest.mark.django_db(transaction=True)
def test_locked_sqlite_is_answered_with_503_and_nothing_half_written(impatient: None, stored_files: Any) -> None:
    data = photos.encode(photos.noise((64, 64)))
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = Client().post("/api/predict", data, content_type="image/jpeg")
        assert (answer.status_code, answer.json()) == (503, {"error": NOT_KEPT})
        assert answer.headers["Retry-After"]
        assert stored_files() == []
        other.execute("ROLLBACK")
    assert stored_rows() == (0, 0, 0)
    assert Client().post("/api/predict", data, content_type="image/jpeg").status_code == 200
    assert stored_rows()[:2] == (1, 1)
    assert len(stored_files()) == 1


@pytest.fixture
def behind_proxy(tmp_path: Path) -> Iterator[tuple[Proxy, Database, Database]]:
    """A proxy, the database that a server sees through it, and the same one past it."""
    with fresh_postgres(tmp_path) as database:
        address = urlsplit(database.url)
        proxy = Proxy((address.hostname or "127.0.0.1", address.port or 5432))
        user = address.netloc.rsplit("@", 1)[0]
        try:
            yield proxy, Database(f"postgres://{user}@127.0.0.1:{proxy.port}{address.path}", tmp_path), database
        finally:
            proxy.cut()


def test_postgresql_that_goes_and_comes_back_loses_nothing(behind_proxy: tuple[Proxy, Database, Database]) -> None:
    proxy, through, database = behind_proxy
    sent = Sent()
    with (
        running_server(through.settings) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        for seed in range(3):
            assert sent.post(client, photo(seed)) == 200
            proxy.cut()
            assert sent.post(client, photo(100 + seed)) == 503
            assert client.get("/readyz").status_code == 503
            assert client.get("/api/detections/").status_code == 503
            assert client.get("/healthz").status_code == 200
            assert check(database, sent.answered) == set()
            proxy.mend()
            assert client.get("/readyz").status_code == 200
        assert sent.post(client, photo(3)) == 200
    assert sent.refused == [(503, NOT_KEPT)] * 3
    assert check(database, sent.answered) == set()


def test_postgresql_that_goes_in_the_middle_of_many_requests_leaves_nothing_half(
    behind_proxy: tuple[Proxy, Database, Database],
) -> None:
    proxy, through, database = behind_proxy
    sent = Sent()
    with running_server(through.settings) as server:
        load = Load(server, sent, itertools.count())
        for _ in range(5):
            load.wait_for_more(CLIENTS)
            proxy.cut()
            proxy.mend()
        load.wait_for_more(CLIENTS)
        server.process.kill()
        server.process.wait()
        load.join()
    check(database, sent.answered)
    assert {status for status, _ in sent.refused} <= {503}
    assert len(sent.answered) >= 6 * CLIENTS
