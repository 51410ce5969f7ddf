"""Threads of Django: each request stays in one, and they are kept for the next ones."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin

from detection.asgi.django_threads import ThreadedHandler

seen: list[threading.Thread] = []
together = threading.Barrier(3, timeout=60)


class Both(MiddlewareMixin):
    """Middleware with an asynchronous form, as most are."""

    def process_request(self, _request: HttpRequest) -> None:
        seen.append(threading.current_thread())

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        seen.append(threading.current_thread())
        return response


class Synchronous:
    """Middleware without one, as that of static files is."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen.append(threading.current_thread())
        return self._get_response(request)


@sync_and_async_middleware
def last(_get_response: Any) -> Any:
    """Answer in place of a view."""

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(threading.current_thread())
        if request.path == "/together":
            together.wait()
        return HttpResponse("here")

    return answer


@pytest.fixture
def handler(settings: Any) -> ThreadedHandler:
    seen.clear()
    here = f"{__name__}."
    settings.MIDDLEWARE = [f"{here}Both", f"{here}Synchronous", f"{here}Both", f"{here}last"]
    return ThreadedHandler(most_idle=2)


async def status_of(handler: ThreadedHandler, path: str) -> int:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"localhost")]}
    caller: Any = ApplicationCommunicator(handler, scope)  # type: ignore[no-untyped-call]
    await caller.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await caller.receive_output()
    assert (await caller.receive_output())["body"] == b"here"
    await caller.wait()
    return int(start["status"])


def test_request_stays_in_one_thread_that_is_kept_for_the_next_one(handler: ThreadedHandler) -> None:
    async def ask() -> list[int]:
        return [await status_of(handler, "/") for _ in range(3)]

    assert asyncio.run(ask()) == [200] * 3
    assert len(seen) == 3 * 6
    assert len(set(seen)) == 1
    assert seen[0] is not threading.main_thread()


def test_requests_at_once_have_threads_of_their_own_and_few_are_kept(handler: ThreadedHandler) -> None:
    async def ask() -> list[int]:
        return await asyncio.gather(*(status_of(handler, "/together") for _ in range(3)))

    assert asyncio.run(ask()) == [200] * 3
    threads = set(seen)
    assert len(threads) == 3
    until = time.monotonic() + 60
    while sum(thread.is_alive() for thread in threads) > 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert sum(thread.is_alive() for thread in threads) == 2


def test_other_than_http_is_refused(handler: ThreadedHandler) -> None:
    with pytest.raises(ValueError, match="websocket"):
        asyncio.run(handler({"type": "websocket"}, None, None))
