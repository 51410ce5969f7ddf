"""A Redis and a PostgreSQL of one test's own, which can be stopped and started again."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.faults.databases import Database

_WAIT_S = 60
_DEBIAN = Path("/usr/lib/postgresql")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class OwnRedis:
    """A redis-server in memory; `url` for a server's REDIS_URL."""

    def __init__(self, program: str, folder: Path) -> None:
        self._port = free_port()
        self._command = [program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client = Redis.from_url(self.url)
        answers = False
        while not answers:
            assert self._process.poll() is None, "redis-server ended at its start"
            with contextlib.suppress(RedisError):
                answers = bool(client.ping())
        client.close()

    def stop(self) -> None:
        """Kill it: what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_WAIT_S)
            self._process = None

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """A Redis that runs; skips where there is no redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    made = OwnRedis(program, folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()


class OwnPostgres:
    """A cluster in a folder, as a user that PostgreSQL accepts: it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = free_port()
        self._as_user = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]
        self.url = f"postgres://postgres@127.0.0.1:{self._port}/postgres"

    def make(self) -> None:
        """Make the cluster; it belongs to who runs it, and lets in whoever reaches its port."""
        if not os.geteuid():
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "--pgdata", str(self._folder), "--username=postgres", "--auth=trust", "--no-sync")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "--pgdata", str(self._folder), "--wait", "--log", log, "--options", options)

    def stop(self) -> None:
        """As a power failure does: nothing is finished, and the next start recovers from the log."""
        self._run("pg_ctl", "stop", "--pgdata", str(self._folder), "--mode=immediate", "--wait")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        # What it starts would keep a pipe open.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=_WAIT_S)


@contextlib.contextmanager
def own_postgres(folder: Path, data_dir: Path) -> Iterator[tuple[OwnPostgres, Database]]:
    """A PostgreSQL that runs, and its database for a server; skips where it cannot be made."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl")
    if not os.geteuid() and (shutil.which("runuser") is None or not _is_user("postgres")):
        pytest.skip("needs runuser and the user postgres, for PostgreSQL does not run as root")
    made = OwnPostgres(programs, folder)
    made.make()
    made.start()
    try:
        yield made, Database(made.url, data_dir)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.stop()


def _postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of the PATH."""
    candidates = [found.parent for found in sorted(_DEBIAN.glob("*/bin/initdb"), reverse=True)]
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    return next((folder for folder in candidates if (folder / "pg_ctl").exists()), None)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def is_up(url: str) -> bool:
    """Whether a PostgreSQL answers."""
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False
