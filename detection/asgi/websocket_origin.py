"""Origin check of WebSockets."""

from collections.abc import Collection, Mapping
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.http.request import split_domain_port, validate_host

from detection.accounts.access import SUBPROTOCOL, caller_of_socket
from detection.errors import CloseCode
from detection.web.asgi_messages import header
from detection.web.origin import Sender, sender_of


class OriginCheck:
    """ASGI middleware that passes each connection from a program or from a page of this site to the app of its path.

    A path that ends with a slash stands for all addresses directly below it.
    Others are refused (HTTP 403). Browsers always send an Origin, and a page of another site must not use a visitor's
    access to this server; programs send none (RFC 6455, section 10.2). This site is the host, with its port, that the
    connection is for, if it is one of `allowed_hosts`, and `trusted_origins` (a proxy may change the host).
    Cookies ignore ports: a page of another program on the same machine is another site here.
    Where ACCESS=login, unknown callers are refused too (`detection/accounts/access.py`).
    """

    def __init__(
        self,
        apps: Mapping[str, ASGI3Application],
        allowed_hosts: Collection[str],
        trusted_origins: Collection[str] = (),
    ) -> None:
        self._apps = dict(apps)
        self._trusted_origins = frozenset(trusted_origins)
        self._allowed_hosts = list(allowed_hosts)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        app = self._app_for(scope)
        caller = None if app is None else await caller_of_socket(scope)
        if app is not None and caller is not None:
            known: Any = {**scope, "caller": caller}
            await app(known, receive, _with_subprotocol(scope, send))
            return
        await receive()
        await send({"type": "websocket.close", "code": CloseCode.POLICY_VIOLATION, "reason": None})

    def _app_for(self, scope: Any) -> ASGI3Application | None:
        if not self._is_allowed_origin(header(scope, b"origin"), header(scope, b"host")):
            return None
        path = scope["path"]
        return self._apps.get(path) or self._apps.get(path[: path.rfind("/") + 1])

    def _is_allowed_origin(self, origin: str | None, host: str | None) -> bool:
        return sender_of(origin, self._trusted_origins | self._origins_of(host or "")) is Sender.OWN

    def _origins_of(self, host: str) -> frozenset[str]:
        """Return the origins of this site under a host: with TLS too, which a proxy may end."""
        if not validate_host(split_domain_port(host)[0], self._allowed_hosts):
            return frozenset()
        return frozenset(f"{scheme}://{host.lower()}" for scheme in ("http", "https"))


def _with_subprotocol(scope: Any, send: ASGISendCallable) -> ASGISendCallable:
    """Name one of the offered subprotocols in the response, as browsers require."""
    if SUBPROTOCOL not in scope.get("subprotocols", ()):
        return send

    async def send_with(event: Any) -> None:
        if event["type"] == "websocket.accept":
            event = {**event, "subprotocol": SUBPROTOCOL}
        await send(event)

    return send_with
