"""Fresh databases for servers of the tests, and a look into them from outside."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from detection.conf import BASE_DIR
from tests.support.serving import server_environment

POSTGRES_URL = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL", "")
NO_POSTGRES = "needs PostgreSQL at TEST_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one server: `url` for its DATABASE_URL, "" for SQLite in `data_dir`."""

    url: str
    data_dir: Path

    @property
    def settings(self) -> dict[str, str]:
        """The server's environment variables."""
        return {"DATA_DIR": str(self.data_dir), **({"DATABASE_URL": self.url} if self.url else {})}

    def rows(self, query: str) -> list[Any]:
        """The rows of a query, read past the server."""
        if self.url:
            with psycopg.connect(self.url) as connection:
                return connection.execute(query).fetchall()
        with contextlib.closing(sqlite3.connect(self.data_dir / "detector.sqlite3")) as connection:
            return connection.execute(query).fetchall()

    def is_whole(self) -> bool:
        """Whether SQLite finds no damage; PostgreSQL has checked itself when it answers."""
        return bool(self.url) or self.rows("PRAGMA integrity_check") == [("ok",)]


@contextmanager
def fresh_postgres(data_dir: Path) -> Iterator[Database]:
    """A database of its own on the PostgreSQL of the tests; skips where there is none."""
    if not POSTGRES_URL.startswith("postgres"):
        pytest.skip(NO_POSTGRES)
    server, name = POSTGRES_URL.rsplit("/", 1)[0], f"faults_{uuid.uuid4().hex}"
    # The database of the URL need not be there: tests make their own.
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield Database(f"{server}/{name}", data_dir)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(database: Database, *arguments: str) -> int:
    """A command of `manage.py` as an operator runs it; its exit status."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=BASE_DIR, env=server_environment(database.settings), check=False).returncode
