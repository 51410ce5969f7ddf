"""A burst of one caller takes Django's threads in small numbers while others come, and health checks never wait."""

import asyncio
from typing import Any

from detection.asgi.turns import CallersTurns
from detection.protocols.errors import shaped
from detection.web import callers

START: Any = {"type": "http.response.start", "status": 200, "headers": []}
END: Any = {"type": "http.response.body", "body": b"", "more_body": False}


class Application:
    """Answers when it is told to; remembers who is inside."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.inside.append(callers.current())
        await self.go_on.wait()
        await send(START)
        await send(END)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def request(app: Any, caller: str, answers: list[Any], path: str = "/") -> "asyncio.Task[None]":
    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            answers.append((caller, event["status"]))

    async def call() -> None:
        with callers.bound(caller):
            await app({"type": "http", "path": path, "headers": []}, None, send)

    return asyncio.ensure_future(call())


def test_burst_of_one_caller_takes_a_few_turns_while_others_come() -> None:
    async def run() -> None:
        application, answers = Application(), []  # type: ignore[var-annotated]
        app = CallersTurns(application, 2, 60.0)
        # The clock stands still: the other caller came just now.
        app._shares._clock = lambda: 0.0
        tasks = [request(app, "other", answers), *(request(app, "many", answers) for _ in range(6))]
        await settle()
        assert sorted(application.inside) == ["many", "many", "other"]
        tasks += [request(app, "other", answers), request(app, "many", answers, "/healthz")]
        await settle()
        assert sorted(application.inside) == ["many", "many", "many", "other", "other"]
        tasks[6].cancel()
        application.go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sorted(answers) == [("many", 200)] * 6 + [("other", 200)] * 2
        assert (dict(app._shares._held), bool(app._waiting)) == ({}, False)

    asyncio.run(run())


def test_caller_alone_has_all_turns() -> None:
    async def run() -> None:
        application, answers = Application(), []  # type: ignore[var-annotated]
        app = CallersTurns(application, 2, 60.0)
        tasks = [request(app, "many", answers) for _ in range(6)]
        await settle()
        assert application.inside == ["many"] * 6
        application.go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_turn_that_does_not_come_is_told_in_our_form() -> None:
    async def run() -> None:
        application, answers = Application(), []  # type: ignore[var-annotated]
        app = CallersTurns(application, 1, 0.05)
        app._shares._clock = lambda: 0.0
        inside = [request(app, "other", answers), request(app, "many", answers)]
        await settle()
        await request(app, "many", answers)
        assert answers == [("many", 503)]
        application.go_on.set()
        await asyncio.gather(*inside)
        assert not app._waiting

    asyncio.run(run())


def test_turn_that_does_not_come_is_told_as_the_client_of_the_address_understands() -> None:
    """PhotoPrism waits for 429 alone."""

    async def run() -> None:
        application, answers = Application(), []  # type: ignore[var-annotated]
        app = CallersTurns(application, 1, 0.05, shaped)
        app._shares._clock = lambda: 0.0
        inside = [request(app, "other", answers), request(app, "many", answers)]
        await settle()
        await request(app, "many", answers, "/api/v1/vision/labels")
        assert answers == [("many", 429)]
        application.go_on.set()
        await asyncio.gather(*inside)

    asyncio.run(run())
