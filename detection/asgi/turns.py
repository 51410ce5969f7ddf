"""ASGI middleware that shares Django's threads between callers, so that a burst of one does not delay the others.

Python runs one thread at a time, five milliseconds each: where sixty requests of one caller are in sixty threads, the
event loop, and with it everybody else, waits 0.3 s for its turn.
"""

import asyncio
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from detection.accounts.schema import OPEN_TO_ALL
from detection.errors import headers_for, respond_to
from detection.inference.errors import OverloadedError
from detection.inference.queues.fair_queue import OVERLOADED, FairQueue, Shares
from detection.web import callers
from detection.web.asgi_messages import Shape, plain_error, send_json

_Waiting = tuple[str, "asyncio.Future[None]"]


class CallersTurns:
    """ASGI middleware that lets `most` requests of a caller into the application at the same time, while others come.

    A request counts until its answer begins: a download takes no turn. Others wait here, without a thread, and are
    answered 503 after `timeout_s`. Probes of the server's health never wait. For one event loop.
    """

    def __init__(self, app: ASGI3Application, most: int, timeout_s: float, shape: Shape = plain_error) -> None:
        self._app = app
        self._shape = shape
        self._timeout_s = timeout_s
        self._shares = Shares(most)
        self._waiting: FairQueue[_Waiting] = FairQueue()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a request in its turn."""
        if scope["type"] != "http" or scope["path"] in OPEN_TO_ALL:
            await self._app(scope, receive, send)
            return
        caller = callers.current()
        try:
            await self._enter(caller)
        except TimeoutError:
            error = OverloadedError(OVERLOADED())
            status, sentence = respond_to(error, scope["path"])
            headers = headers_for(status, error)
            status, body = self._shape(scope["path"], status, sentence)
            await send_json(send, status, body, headers)
            return
        await self._answer(caller, scope, receive, send)

    async def _answer(self, caller: str, scope: Any, receive: Any, send: Any) -> None:
        has_turn = True

        def leave() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self._leave(caller)

        async def send_and_leave(event: Any) -> None:
            if event["type"] == "http.response.start":
                leave()
            await send(event)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            leave()

    async def _enter(self, caller: str) -> None:
        """Wait for a turn. Raises TimeoutError."""
        self._shares.came(caller)
        if self._shares.may(caller):
            self._shares.begin(caller)
            return
        waiting = caller, asyncio.get_running_loop().create_future()
        self._waiting.put(caller, waiting)
        try:
            async with asyncio.timeout(self._timeout_s):
                await waiting[1]
        except BaseException:
            if waiting[1].cancelled():
                self._waiting.drop(caller, waiting)
            else:
                self._leave(caller)
            raise

    def _leave(self, caller: str) -> None:
        self._shares.end(caller)
        while (first := self._waiting.take(lambda waiting: self._shares.may(waiting[0]))) is not None:
            self._shares.begin(first[0])
            first[1].set_result(None)
