"""Photos in object stores (by obstore) and on what else fsspec offers: listed lazily, read by address.

Keys, regions and endpoints come from the environment, as the stores' own programs have them (AWS_ACCESS_KEY_ID,
AWS_REGION, AWS_ENDPOINT_URL, ...); an address holds none of them.
"""

import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any

from detection.bulk.files import BadPhotoError, PhotoFile, checked_size, failing, too_large
from detection.bulk.sources.archives import is_archive, is_photo_member

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
# Those that hold very many names, which obstore lists a page at a time; fsspec would hold them all.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"})
_RETRIES, _RETRY_TIMEOUT = 5, timedelta(minutes=1)
_GONE = "There is no file or folder of this name."
_FORBIDDEN = "The store does not let it be read. See to the rights of the keys in the environment."
_PACKED = "Archives are read from files of this machine only. Copy it here."


def is_address(name: str) -> bool:
    """Return whether a name is an address such as s3://bucket/folder/photo.jpg."""
    return _SCHEME.match(name) is not None


def photos_at(address: str, max_bytes: int, on_skipped: Callable[[str], None]) -> Iterator[PhotoFile]:
    """Yield the photo of an address, or all below it. Raises OSError when the store does not answer.

    on_skipped: gets the names of the other files.
    """
    matched = _SCHEME.match(address)
    is_object = matched is not None and matched[1] in _OBJECT_STORES
    package = "obstore" if is_object else "fsspec"
    if importlib.util.find_spec(package) is None:
        raise OSError(f"{address} needs {package}: run pip install -r requirements-sources.txt")
    listed, read = (_objects, _read_object) if is_object else (_files, _read_file)
    found = False
    for name, below in listed(address):
        found = True
        if not below and is_archive(name):
            yield failing(name, _PACKED)
        elif not below or is_photo_member(below):
            yield PhotoFile(name, partial(read, name, max_bytes))
        else:
            on_skipped(name)
    if not found:
        yield failing(address, _GONE)


@cache
def _bucket(root: str) -> Any:
    from obstore.store import from_url

    # Stores on one's own machines often have no certificates.
    is_plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT}
    return from_url(root, client_options={"allow_http": is_plain}, retry_config=retries)


def _split(address: str) -> tuple[str, str]:
    """Return the bucket's address and the key in it, verbatim: keys may have any characters."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def _objects(address: str) -> Iterator[tuple[str, str]]:
    """Yield the names at an address, each with its part below the address: "" for the address itself."""
    import obstore
    from obstore.exceptions import BaseError

    root, key = _split(address)
    try:
        if key and not key.endswith("/"):
            try:
                obstore.head(_bucket(root), key)
            except FileNotFoundError:
                pass
            else:
                yield address, ""
                return
        for page in obstore.list(_bucket(root), key or None):
            for each in page:
                # Some programs make an object for a folder.
                if not each["path"].endswith("/"):
                    yield f"{root}/{each['path']}", each["path"][len(key) :]
    except BaseError as error:
        raise OSError(f"{address} cannot be listed: {_first_line(error)}") from error


def _read_object(address: str, max_bytes: int) -> bytes:
    """Return the bytes of an object. Raises BadPhotoError for one that is gone, forbidden or too large, OSError when
    the store does not answer.
    """
    import obstore
    from obstore.exceptions import BaseError, PermissionDeniedError

    root, key = _split(address)
    try:
        answer = obstore.get(_bucket(root), key)
        if answer.meta["size"] > max_bytes:
            raise too_large(max_bytes)
        return bytes(answer.bytes())
    except FileNotFoundError as error:
        raise BadPhotoError(_GONE) from error
    except PermissionDeniedError as error:
        raise BadPhotoError(_FORBIDDEN) from error
    except BaseError as error:
        raise OSError(f"{address} cannot be read: {_first_line(error)}") from error


def _files(address: str) -> Iterator[tuple[str, str]]:
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(address)
        if system.isfile(path):
            yield address, ""
            return
        for folder, _, files in system.walk(path, on_error="raise"):
            for name in sorted(files):
                place = str(PurePosixPath(folder, name))
                yield system.unstrip_protocol(place), place.removeprefix(path)
    except FileNotFoundError:
        return
    except Exception as error:  # its file systems raise what they like
        raise OSError(f"{address} cannot be listed: {_first_line(error)}") from error


def _read_file(address: str, max_bytes: int) -> bytes:
    import fsspec

    try:
        with fsspec.open(address, "rb") as file:
            return checked_size(file.read(max_bytes + 1), max_bytes)
    except BadPhotoError:
        raise
    except FileNotFoundError as error:
        raise BadPhotoError(_GONE) from error
    except PermissionError as error:
        raise BadPhotoError(_FORBIDDEN) from error
    except Exception as error:  # its file systems raise what they like
        raise OSError(f"{address} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
