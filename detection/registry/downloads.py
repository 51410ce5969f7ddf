"""Downloads one known file from a web server or a folder: resumable, verified, and atomically put in place.

Received bytes are kept as `NAME.part` beside the destination, so that a broken download resumes. The
file gets its name by an atomic rename, after its size and SHA-256 have been checked and its bytes are on the disk.
"""

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from detection.program import PROGRAM

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
ATTEMPTS = 4

OnBytes = Callable[[int], None]


class DownloadError(Exception):
    """A file could not be downloaded; the message says what to do."""


class _ConnectionBrokenError(Exception):
    """The stream ended with an error; the bytes received before it are kept."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """File with known content; `sha256` in lower-case hexadecimal, "" where nobody has published it."""

    name: str
    size_bytes: int
    sha256: str


class Readable(Protocol):
    """An open file or an HTTP response."""

    def read1(self, size: int, /) -> bytes:
        """Return the available bytes, at most `size`; nothing at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes of a file from `start` on; they end early where a connection breaks."""

    body: Readable
    start: int


class Source(Protocol):
    """Interface of a source of known files."""

    def open(self, file: KnownFile, offset: int) -> AbstractContextManager[Stream]:
        """Open `file` at `offset`, or at 0 where the source cannot start in the middle; raises DownloadError."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Known files in a folder of this machine."""

    folder: Path

    @contextmanager
    def open(self, file: KnownFile, offset: int) -> Iterator[Stream]:
        """Open the copy in the folder, always at its beginning: reading it again costs little."""
        path = self.folder / file.name
        try:
            body = path.open("rb")
        except OSError as error:
            raise DownloadError(
                f"{path} cannot be read ({error.strerror}). Give with --from a folder that holds {file.name}."
            ) from error
        with body:
            yield Stream(body, 0)


@dataclass(frozen=True, slots=True)
class HttpSource:
    """Known files below a URL of scheme http or https; `timeout_s` is the longest accepted silence.

    is_one_file: whether the URL is that of the file itself.
    """

    base_url: str
    timeout_s: float = TIMEOUT_S
    is_one_file: bool = False

    def size_bytes(self) -> int:
        """Return the size that the server tells for the one file. Raises DownloadError."""
        with self._answer(self._request("")) as response:
            length = response.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) == 0:
            raise DownloadError(
                f"{self.base_url} does not tell its size. Download it by other means into a folder of its own, and "
                f"run `{PROGRAM} model_card` on that."
            )
        return int(length)

    @contextmanager
    def open(self, file: KnownFile, offset: int) -> Iterator[Stream]:
        """Request the bytes from `offset` on (RFC 9110, section 14.2); a server may answer with all of them."""
        request = self._request(file.name)
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        with self._answer(request) as response:
            yield Stream(response, _start_of(response, file, offset))

    def _request(self, name: str) -> urllib.request.Request:
        url = self.base_url if self.is_one_file else f"{self.base_url.rstrip('/')}/{quote(name)}"
        headers = {"Accept-Encoding": "identity", "User-Agent": "detector-site"}
        return urllib.request.Request(url, headers=headers)  # noqa: S310 - _opener() supports http and https only

    def _answer(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        try:
            response: http.client.HTTPResponse = _opener().open(request, timeout=self.timeout_s)
        except urllib.error.HTTPError as error:
            error.close()
            raise DownloadError(
                f"{request.full_url} answered {error.code} {error.reason}. "
                "Try again later, or give another source with --from DIR-OR-URL."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(
                f"{request.full_url} cannot be reached ({_reason(error)}). On a machine without a network, copy the "
                "files into a folder and give that with --from DIR."
            ) from error
        return response


def source_from(text: str) -> Source:
    """Return the source that an operator named: a folder, or a URL of scheme http, https or file; raises
    DownloadError.
    """
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise DownloadError(f"{text} is not a URL ({error}). Give a folder or a URL with --from.") from error
    if url.scheme in {"http", "https"}:
        return HttpSource(text)
    if url.scheme == "file":
        return FolderSource(Path(urllib.request.url2pathname(url.path)))
    if "://" in text:
        raise DownloadError(f"{text} cannot be a source. Give with --from a folder, or a URL of http, https or file.")
    return FolderSource(Path(text).expanduser())


def fetch_file(file: KnownFile, source: Source, folder: Path, on_bytes: OnBytes) -> None:
    """Download `file` into `folder`; `on_bytes` is called with the number of its bytes received so far.

    Resumes the `.part` of an earlier try, and reconnects while each try makes progress.
    Raises DownloadError, and OSError where `folder` cannot be written.
    """
    part = _part(file, folder)
    reason = ""
    for _ in range(ATTEMPTS):
        had = _size(part)
        if had >= file.size_bytes:
            break
        reason = _receive(file, source, part, on_bytes)
        if _size(part) <= had:
            break
    have = _size(part)
    if have < file.size_bytes:
        raise _broken(file, have, reason)
    if not is_intact(file, part):
        part.unlink()
        raise _another_file(file, "it is longer" if have > file.size_bytes else "its SHA-256 differs")
    _put_in_place(part, folder / file.name)


def _part(file: KnownFile, folder: Path) -> Path:
    return folder / f"{file.name}.part"


def is_intact(file: KnownFile, path: Path) -> bool:
    """Return whether `path` exists with the size of `file`, and its SHA-256 where that is known."""
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    if not file.sha256:
        return True
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def left_bytes(file: KnownFile, folder: Path) -> int:
    """Return how much of `file` is still to be downloaded into `folder`, beside the `.part` of an earlier try."""
    return max(file.size_bytes - _size(_part(file, folder)), 0)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise DownloadError where the disk of `folder` has less than `needed_bytes` free."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DownloadError(
            f"{folder} has {free_bytes / 1e6:,.0f} MB free and needs {needed_bytes / 1e6:,.0f} MB. "
            "Make room, or set DATA_DIR to a folder on another disk."
        )


def _receive(file: KnownFile, source: Source, part: Path, on_bytes: OnBytes) -> str:
    """Append the source's bytes to `part`; return why they ended early, or an empty text."""
    with source.open(file, _size(part)) as stream, part.open("ab") as out:
        out.truncate(stream.start)
        have = stream.start
        on_bytes(have)
        try:
            for chunk in _chunks(stream.body):
                out.write(chunk)
                have += len(chunk)
                on_bytes(have)
                if have > file.size_bytes:
                    break
        except _ConnectionBrokenError as error:
            return str(error)
    return ""


def _chunks(body: Readable) -> Iterator[bytes]:
    while True:
        try:
            chunk = body.read1(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _ConnectionBrokenError(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener of http and https, through the environment's proxies; a redirect to any other scheme is an
    error.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _start_of(response: http.client.HTTPResponse, file: KnownFile, offset: int) -> int:
    """Return the position in the file at which the response begins; raises DownloadError for headers of another
    file.
    """
    if response.status == http.client.PARTIAL_CONTENT:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != offset or given[2] not in {str(file.size_bytes), "*"}:
            raise _another_file(file, "the server's Content-Range does not fit it")
        return offset
    length = response.headers.get("Content-Length")
    if length is not None and length != str(file.size_bytes):
        raise _another_file(file, f"it has {length} bytes")
    return 0


def _put_in_place(part: Path, path: Path) -> None:
    """Rename `part`, so that after a power cut there is the whole file or none."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.URLError):
        return _reason(error.reason) if isinstance(error.reason, BaseException) else str(error.reason)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _broken(file: KnownFile, have_bytes: int, reason: str) -> DownloadError:
    return DownloadError(
        f"The connection broke after {have_bytes:,} of the {file.size_bytes:,} bytes of {file.name}"
        f"{f' ({reason})' if reason else ''}. Run the same command again: it goes on from there."
    )


def _another_file(file: KnownFile, difference: str) -> DownloadError:
    return DownloadError(
        f"The {file.name} of this source is not the published one of {file.size_bytes:,} bytes: {difference}. Nothing "
        "of it was kept. Run the command again, or give another source with --from DIR-OR-URL."
    )
