"""Answers that are files: small ones at once, large ones in pieces from the disk, as their reader takes them."""

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

# What may be held in memory for somebody who reads slowly.
MOST_IN_MEMORY_BYTES = 1_000_000
_PIECE_BYTES = 262_144
# Photos come from strangers: whatever they contain, a browser must not run it as part of this site.
PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


def file_response(body: bytes | BinaryIO, content_type: str, headers: Mapping[str, str]) -> HttpResponseBase:
    """Return the answer, from the beginning of a file that is closed behind it."""
    if isinstance(body, io.BytesIO):
        body = body.getvalue()
    if isinstance(body, bytes):
        if len(body) <= MOST_IN_MEMORY_BYTES:
            return HttpResponse(body, content_type=content_type, headers=dict(headers))
        body = _on_disk(body)
    size = body.seek(0, os.SEEK_END)
    body.seek(0)
    if size <= MOST_IN_MEMORY_BYTES:
        with body:
            return HttpResponse(body.read(), content_type=content_type, headers=dict(headers))
    response = StreamingHttpResponse(
        _pieces(body), content_type=content_type, headers={**headers, "Content-Length": str(size)}
    )
    # Also where nobody takes the first piece.
    response._resource_closers.append(body.close)  # type: ignore[attr-defined]
    return response


def _on_disk(body: bytes) -> BinaryIO:
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    file.write(body)
    return file


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield piece
