"""Health: alive when the process answers, ready when a photo could be detected and kept."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import httpx
import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.models import QuerySet
from django.test import Client

from detection.predict import service as predict_service
from detection.serving import service as serving
from tests.support.serving import Server, running_server


def test_process_that_answers_is_healthy_without_a_model(client: Client) -> None:
    predict_service.stop()
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
    predict_service.stop()
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
    assert "The database lacks tables of this version. Run `manage.py migrate`" in gone.json()["error"]


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param("DROP TABLE detection_shadowcount", id="table"),
        pytest.param("ALTER TABLE detection_shadowcount RENAME COLUMN matched TO old", id="column"),
    ],
)
def test_a_database_of_another_version_is_told_what_to_run(change: str, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(change)
    with mock.patch.object(QuerySet, "first", side_effect=OperationalError("no such table")):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "Run `manage.py migrate`" in response.json()["error"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_other_methods_are_refused(path: str, client: Client) -> None:
    response = client.post(path)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with logins, behind a proxy that ends TLS, under one name."""
    settings = {
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "ALLOWED_HOSTS": "detector.example.org",
        "ACCESS": "login",
        "HTTPS": "true",
    }
    with running_server(settings) as server:
        yield server


@pytest.mark.parametrize("host", ["10.0.0.5:8080", "[fd00::5]:8080", "detector.example.org", ""])
@pytest.mark.parametrize(("path", "body"), [("/healthz", {"status": "ok"}), ("/readyz", {"status": "ready"})])
def test_probe_by_any_address_is_answered(path: str, body: dict[str, str], host: str, guarded: Server) -> None:
    answer = httpx.get(f"{guarded.url}{path}", headers={"Host": host})
    assert (answer.status_code, answer.json()) == (200, body)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert httpx.head(f"{guarded.url}{path}", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [("/metrics", "GET"), ("/", "GET"), ("/healthz", "POST"), ("/healthz/", "GET"), ("/readyz/more", "GET")],
)
def test_nothing_else_is_answered_to_a_host_that_is_not_allowed(path: str, method: str, guarded: Server) -> None:
    headers = {"Host": "10.0.0.5:8080", "X-Forwarded-Proto": "https"}
    assert httpx.request(method, f"{guarded.url}{path}", headers=headers).status_code == 400


def test_probes_are_counted_by_their_names(tmp_path: Path) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        assert httpx.get(f"{server.url}/healthz", headers={"Host": "10.0.0.5"}).status_code == 200
        told = httpx.get(f"{server.url}/metrics").text
    assert re.search(r'requests_total\{.*route="healthz".*status="200".*\} 1', told)
