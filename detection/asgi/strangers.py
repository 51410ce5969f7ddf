"""ASGI middleware that answers requests without a login, where one is needed, before Django does.

Django's answer is the same and takes a thread and several times as long: a flood of them slowed down everybody else.
"""

from collections.abc import Callable
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.conf import settings

from detection.errors import LoginNeededError, headers_for, respond_to
from detection.web.asgi_messages import Shape, header, plain_error, send_json

_BODY = (b"content-length", b"transfer-encoding")
_CLOSE = {"Connection": "close"}


class Strangers:
    """ASGI middleware that answers 401 to requests for addresses below `prefix` with neither a token nor the cookie of
    a login; whether those that have one are valid is for the view to say. is_needed: whether this server asks for it.
    """

    def __init__(
        self, app: ASGI3Application, prefix: str, is_needed: Callable[[], bool], shape: Shape = plain_error
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._is_needed = is_needed
        self._shape = shape

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a request of a stranger; pass all others on."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
        elif self._is_needed() and _is_stranger(scope):
            await self._refuse(scope, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, scope: Any, send: ASGISendCallable) -> None:
        error = LoginNeededError()
        status, sentence = respond_to(error, scope["path"])
        status, body = self._shape(scope["path"], status, sentence)
        # Of a body nothing is read: the connection cannot serve another request.
        has_body = any(header(scope, name) is not None for name in _BODY)
        await send_json(send, status, body, {**headers_for(status, error), **(_CLOSE if has_body else {})})


def _is_stranger(scope: Any) -> bool:
    return header(scope, b"authorization") is None and settings.SESSION_COOKIE_NAME not in (
        header(scope, b"cookie") or ""
    )
