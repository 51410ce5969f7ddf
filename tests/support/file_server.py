"""Web server of files for the tests of downloads: real sockets on a free port, and common failures of servers."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import serving


@dataclass
class FileServer:
    """Plan of the server; `seen_ranges` and `seen_hosts` have the headers of the requests, in order."""

    files: dict[str, bytes]
    url: str = ""
    ranges: bool = True
    content_range: str | None = None
    tell_length: bool = True
    status: int | None = None
    location: str | None = None
    cut_after: list[int | None] = field(default_factory=list)
    stall_after: int | None = None
    seen_ranges: list[str | None] = field(default_factory=list)
    seen_hosts: list[str | None] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)

    def next_cut(self) -> int | None:
        """Return after how many bytes of its body the next response breaks off."""
        return self.cut_after.pop(0) if self.cut_after else None


@contextmanager
def file_server(files: dict[str, bytes], **behaviour: Any) -> Iterator[FileServer]:
    """Serve `files` on the loopback interface until the block ends."""
    plan = FileServer(files, **behaviour)
    with serving(_handler(plan), end=plan.finished.set) as plan.url:
        yield plan


def _handler(plan: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            plan.seen_ranges.append(self.headers.get("Range"))
            plan.seen_hosts.append(self.headers.get("Host"))
            content = plan.files.get(self.path.removeprefix("/"))
            if plan.location is not None:
                self.send_response(302)
                self.send_header("Location", plan.location)
                self.end_headers()
            elif content is None or plan.status is not None:
                self.send_error(plan.status or 404)
            else:
                self._send(content)

        def _send(self, content: bytes) -> None:
            start = self._start()
            body = content[start:]
            self.send_response(206 if start else 200)
            if start:
                span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", span if plan.content_range is None else plan.content_range)
            if plan.tell_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if plan.stall_after is not None:
                self.wfile.write(body[: plan.stall_after])
                self.wfile.flush()
                plan.finished.wait()
                return
            self.wfile.write(body[: plan.next_cut()])

        def _start(self) -> int:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            return int(asked[1]) if asked and plan.ranges else 0

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            """Log nothing: tests read the plan."""

    return Handler
