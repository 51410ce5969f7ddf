"""Fast path for the requests that programs send: a photo as the body, straight from the event loop to the detector.

Django's request, middleware and threads cost more than everything else around the network. What is special in any way
(forms, other methods, unknown hosts, other content) goes on to Django and its view (`detection/predict/api.py`), which
calls the same service and answers the same bytes.
"""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import replace
from functools import lru_cache
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.http.request import split_domain_port, validate_host

from detection.accounts import throttling
from detection.accounts.access import ANYBODY, Caller, caller_by_token
from detection.conf import current
from detection.errors import ThrottledError, error_body, headers_for, respond_to
from detection.observability.middleware import name_route
from detection.predict import service as predict_service
from detection.predict.request import FILE_NAME_HEADER, PHOTO_TYPES, answer_headers, file_name, media_type, upload_from
from detection.web.asgi_messages import address_of, header, read_body, send_json
from detection.web.query import decode_query
from detection.web.serializers import prediction_body

_MOST_HOSTS = 256
_FILE_NAME = FILE_NAME_HEADER.lower().encode("latin-1")


class FastPath:
    """ASGI middleware that handles a photo POSTed to one of `paths` for one of `allowed_hosts`; passes the rest to
    `app`.
    """

    def __init__(self, app: ASGI3Application, paths: Collection[str], allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)
        allowed = list(allowed_hosts)
        # Django's check takes 30 microseconds, and hosts are few.
        self._is_allowed = lru_cache(_MOST_HOSTS)(lambda host: validate_host(split_domain_port(host)[0], allowed))

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        caller = await self._caller(scope) if self._takes(scope) else None
        if caller is None:
            await self._app(scope, receive, send)
            return
        name_route(scope, "predict")
        try:
            throttling.take(caller, address_of(scope))
        except ThrottledError as error:
            await _refuse(scope, error, send)
            return
        data = await read_body(receive)
        if data is not None:
            await _answer_while_connected(_answer(scope, data, caller, send), receive)

    async def _caller(self, scope: Any) -> Caller | None:
        """Return the caller; None for requests that Django must check: a login of a page, or no valid token."""
        return await caller_by_token(scope) if current.config().needs_login else ANYBODY

    def _takes(self, scope: Any) -> bool:
        return (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in self._paths
            and media_type(header(scope, b"content-type") or "") in PHOTO_TYPES
            and header(scope, b"content-encoding") is None
            and self._is_allowed(header(scope, b"host") or "")
        )


async def _answer_while_connected(answer: Coroutine[Any, Any, None], receive: ASGIReceiveCallable) -> None:
    """Answer; when the caller disconnects first, the photo leaves the queue and uses no more time."""
    answering = asyncio.ensure_future(answer)
    hanging_up = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({answering, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hanging_up.cancel()
        if not answering.done():
            answering.cancel()
    if not answering.cancelled() and answering.done():
        answering.result()


async def _answer(scope: Any, data: bytes, caller: Caller, send: ASGISendCallable) -> None:
    try:
        query = decode_query(scope["query_string"])
        upload = upload_from(data, query, file_name(header(scope, _FILE_NAME)))
        if caller.user_id is not None:
            upload = replace(upload, owner_id=caller.user_id)
        answer = await predict_service.detect_async(upload)
    except Exception as error:  # noqa: BLE001 the outermost edge: whatever it is, the caller gets a sentence
        await _refuse(scope, error, send)
        return
    await send_json(send, 200, prediction_body(answer.objects), answer_headers(answer))


async def _refuse(scope: Any, error: Exception, send: ASGISendCallable) -> None:
    status, sentence = respond_to(error, scope["path"])
    await send_json(send, status, error_body(sentence), headers_for(status, error))
