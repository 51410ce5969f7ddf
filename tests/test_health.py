"""Health: alive when the process answers, ready when a photo could be detected and kept."""

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import httpx
import pytest
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.test import Client

from detection import services, serving
from tests.serving import running_server


def test_process_that_answers_is_healthy_without_a_model(client: Client) -> None:
    services.stop()
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
def test_server_with_model_and_database_is_ready(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_server_is_not_ready_before_its_model_is_loaded(client: Client) -> None:
    services.stop()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"error": "The model is not loaded yet. Ask again in a moment."}


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
def test_server_is_not_ready_while_its_engine_has_a_problem_and_is_again_afterwards(client: Client) -> None:
    engine = type(serving._models.detector().engine)
    with mock.patch.object(engine, "problem", return_value="The model server is gone."):
        response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"error": "The model server is gone."})
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("error", [OperationalError, InterfaceError], ids=lambda kind: kind.__name__)
def test_server_is_not_ready_while_its_database_does_not_answer(error: type[Exception], client: Client) -> None:
    with mock.patch.object(QuerySet, "first", side_effect=error("connection refused")):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"error": "The database does not answer. Look at DATABASE_URL and its server."}


def test_running_server_notices_that_its_database_is_gone(tmp_path: Path) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        with closing(sqlite3.connect(tmp_path / "detector.sqlite3")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for path in tmp_path.glob("detector.sqlite3*"):
            path.unlink()
        gone = httpx.get(f"{server.url}/readyz")
        assert httpx.get(f"{server.url}/healthz").status_code == 200
    assert gone.status_code == 503
    assert "The database does not answer" in gone.json()["error"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_other_methods_are_refused(path: str, client: Client) -> None:
    response = client.post(path)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
