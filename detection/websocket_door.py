"""The entrance of WebSockets: which connections are taken at all."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.http.request import split_domain_port, validate_host

from detection.access import SUBPROTOCOL, caller_of_socket
from detection.asgi_responses import header

_POLICY_VIOLATION = 1008


class WebSocketDoor:
    """ASGI: hands each connection from a program or from a page of `allowed_hosts` to the app of its path.

    A path that ends with a slash stands for all addresses directly below it.
    Others are refused (HTTP 403). Browsers always send an Origin, and a page of another site must not use a visitor's
    access to this server; programs send none (RFC 6455, section 10.2). Where ACCESS=login, whoever is not known is
    refused too (`detection/access.py`).
    """

    def __init__(self, apps: Mapping[str, ASGI3Application], allowed_hosts: Collection[str]) -> None:
        self._apps = dict(apps)
        self._allowed_hosts = list(allowed_hosts)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        app = self._app_for(scope)
        caller = None if app is None else await caller_of_socket(scope)
        if app is not None and caller is not None:
            known: Any = {**scope, "caller": caller}
            await app(known, receive, _with_subprotocol(scope, send))
            return
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": None})

    def _app_for(self, scope: Any) -> ASGI3Application | None:
        if not self._is_welcome(header(scope, b"origin")):
            return None
        path = scope["path"]
        return self._apps.get(path) or self._apps.get(path[: path.rfind("/") + 1])

    def _is_welcome(self, origin: str | None) -> bool:
        if origin is None:
            return True
        try:
            host = split_domain_port(urlsplit(origin).netloc)[0]
        except ValueError:
            return False
        return validate_host(host, self._allowed_hosts)


def _with_subprotocol(scope: Any, send: ASGISendCallable) -> ASGISendCallable:
    """A browser that has offered subprotocols wants one of them named in the answer."""
    if SUBPROTOCOL not in scope.get("subprotocols", ()):
        return send

    async def send_with(event: Any) -> None:
        if event["type"] == "websocket.accept":
            event = {**event, "subprotocol": SUBPROTOCOL}
        await send(event)

    return send_with
