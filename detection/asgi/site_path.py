"""ASGI middleware for a site below a path of its host (SITE_PATH)."""

from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


class SitePath:
    """ASGI middleware that takes the site's path from addresses, for a proxy may leave it there or take it away.

    So all layers see the same addresses as without one, but for Django, which gets the whole address
    (`with_site_path`) and knows what to take from it (FORCE_SCRIPT_NAME). Addresses without it stay, for health checks
    that go past the proxy.
    """

    def __init__(self, app: ASGI3Application, site_path: str) -> None:
        self._app = app
        self._site_path = site_path

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "lifespan" and self._is_below(scope["path"]):
            below: Any = {**scope, "path": scope["path"].removeprefix(self._site_path) or "/"}
            scope = below
        await self._app(scope, receive, send)

    def _is_below(self, path: str) -> bool:
        return path == self._site_path or path.startswith(f"{self._site_path}/")


def with_site_path(app: ASGI3Application, site_path: str) -> ASGI3Application:
    """Return an application that gets addresses with the site's path again, as ASGI has them behind a proxy."""

    async def below(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        whole: Any = scope if scope["type"] == "lifespan" else {**scope, "path": f"{site_path}{scope['path']}"}
        await app(whole, receive, send)

    return below if site_path else app
