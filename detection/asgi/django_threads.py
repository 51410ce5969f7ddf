"""Django as an ASGI application whose threads are kept, and in which a request stays in one of them.

Django's own handler starts threads for each request and ends them, and where one middleware has no asynchronous form,
it walks the others on the event loop and in a thread in turn. At each of these steps the loop waits for Python's lock,
and with it everybody else: a burst of one caller's requests made others wait.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ThreadedHandler(ASGIHandler):
    """Handler that runs the middleware and the view of a request in one thread, and keeps `most_idle` threads."""

    def __init__(self, most_idle: int) -> None:
        self._most_idle = most_idle
        self._idle: list[ThreadPoolExecutor] = []
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware in its synchronous form."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request. Raises ValueError for anything else."""
        if scope["type"] != "http":
            raise ValueError(f"Django answers HTTP, not {scope['type']}.")
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "django")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < self._most_idle:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Return the response, made in the request's thread."""
        respond: Any = sync_to_async(self.get_response, thread_sensitive=True)
        response: HttpResponseBase = await respond(request)
        return response
