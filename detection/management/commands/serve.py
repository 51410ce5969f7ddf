"""`manage.py serve`: migrates the database, loads the model and serves."""

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import uvicorn
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from detection.asgi.connections import Connections
from detection.asgi.http_protocol import BoundedHttpProtocol
from detection.asgi.websocket_protocol import BoundedWebSocketProtocol
from detection.conf import Config, current
from detection.inference.errors import InferenceError
from detection.photos import store as photo_store
from detection.serving import malloc
from detection.serving import service as serving

GRACE_S = 30
_MOST_UNSENT_BYTES = 131_072
_STOPPED = "Stopped."
_ALL_FINISHED = "Stopped: running requests were finished."
_SOME_BROKEN_OFF = "Stopped before all requests were finished."


class Command(BaseCommand):
    """Command that checks, binds, migrates, loads and warms the model, then serves until SIGINT or SIGTERM."""

    help = "Migrate the database, load and warm the model, and serve HTTP and WebSocket on REST_HOST:REST_PORT."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run the command. Raises CommandError when a step before serving fails."""
        config = current.config()
        malloc.keep_few_arenas()
        # Both signals end the start-up at once; uvicorn handles them while it serves, and raises them again after it
        # has stopped.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            self._run(config)
        except KeyboardInterrupt:
            self.stdout.write(_STOPPED)
            _end()

    def _run(self, config: Config) -> None:
        # Bound first, so that a port in use is reported at once. Connections are accepted only after `listen`.
        with _bind(config) as bound:
            _migrate()
            _check_photo_store()
            try:
                serving.start()
            except InferenceError as error:
                raise CommandError(str(error)) from error
            _listen(bound, config)
            self.stdout.write(_serve(bound, config, self._announce))

    def _announce(self, address: str) -> None:
        self.stdout.write(f"Serving on {address} - press Ctrl+C to stop.")
        self.stdout.flush()


def _end() -> NoReturn:
    """End the process with 0 at once, before it has served anything.

    Python's own end would take what a model needs from the thread that is loading it, which aborts the process.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _bind(config: Config) -> socket.socket:
    try:
        host = config.rest_host.strip("[]").encode("idna").decode()
    except UnicodeError as error:
        raise CommandError(f"REST_HOST={config.rest_host} is no host name. Set it to 127.0.0.1, say.") from error
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Connections inherit it: what a reader does not take stays on the disk, not megabytes of it in the kernel.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT_BYTES)
    try:
        bound.bind((host, config.rest_port))
    except OSError as error:
        bound.close()
        raise CommandError(_bind_sentence(config, error)) from error
    return bound


def _listen(bound: socket.socket, config: Config) -> None:
    """Listen here: two servers can bind the same port before one of them listens; the event loop would not report
    it.
    """
    try:
        bound.listen()
    except OSError as error:
        raise CommandError(_bind_sentence(config, error)) from error


def _bind_sentence(config: Config, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {config.rest_port} is in use. Stop the program that has it, or set REST_PORT to another number."
    if error.errno == errno.EACCES:
        return f"Port {config.rest_port} needs more rights than this user has. Set REST_PORT to 1024 or more."
    return f"REST_HOST={config.rest_host} is no address of this machine ({error.strerror}). Set it to 127.0.0.1, say."


def _migrate() -> None:
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except (DatabaseError, OSError) as error:
        raise CommandError(
            f"The database cannot be used: {error}. Look at DATA_DIR's owner and free space, or at DATABASE_URL."
        ) from error


def _check_photo_store() -> None:
    try:
        photo_store.check()
    except OSError as error:
        raise CommandError(
            f"{error}. Look at PHOTO_STORE_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and make the bucket."
        ) from error


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """Server that logs when connections are accepted, and records whether all requests were answered before it
    stopped.
    """

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self.finished_all = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    async def _wait_tasks_to_complete(self) -> None:
        """Run uvicorn's own wait: a second Ctrl+C ends it, and GRACE_S cancels it."""
        await super()._wait_tasks_to_complete()
        self.finished_all = not (self.server_state.connections or self.server_state.tasks)


def _serve(bound: socket.socket, config: Config, announce: Callable[[str], None]) -> str:
    """Serve until a signal; return the message about the requests that were running."""
    from detector_site.asgi import application, memory_budget

    table = Connections(config.max_connections, config.forwarded_allow_ips, config.upload_timeout_s)
    server = _Server(
        uvicorn.Config(
            application,
            http=BoundedHttpProtocol.bounded(config.upload_timeout_s, memory_budget, table),
            forwarded_allow_ips=list(config.forwarded_allow_ips),
            ws=BoundedWebSocketProtocol.bounded(config.upload_timeout_s, memory_budget),
            ws_max_size=config.max_body_bytes,
            # Incoming messages are photos, compressed already, up to 30 a second from each camera.
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        lambda: announce(_address(bound)),
    )
    # uvicorn raises it again after it has stopped.
    with suppress(KeyboardInterrupt):
        server.run(sockets=[bound])
    if not server.started:
        return _STOPPED
    return _ALL_FINISHED if server.finished_all else _SOME_BROKEN_OFF
