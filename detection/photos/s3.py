"""Storage of photos in an S3-compatible object store (PHOTO_STORE_URL), which several web servers share.

Content-addressed files need few operations: an object is put whole or not at all, and a name is only ever written with
the same content.
"""

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

from detection.conf import PhotoStore

_CONNECT_S, _READ_S = 5.0, 20.0
_TRIES = 3
_CONNECTIONS = 32
_PIECE_BYTES = 262_144


class PhotoObjectStorage(S3Storage):  # type: ignore[misc]  # it has no annotations
    """Storage of django-storages, with three changes.

    All threads share one client (it is made for that; making one takes a tenth of a second, and Django has new threads
    all the time). A photo is put, and got, in one request. Failures are OSErrors, as on a disk, and a missing photo is
    a FileNotFoundError.
    """

    def __init__(self, store: PhotoStore) -> None:
        super().__init__(
            bucket_name=store.bucket,
            location=store.prefix,
            endpoint_url=store.endpoint or None,
            region_name=store.region or None,
            file_overwrite=True,
            default_acl=None,
            client_config=ClientConfig(
                connect_timeout=_CONNECT_S,
                read_timeout=_READ_S,
                retries={"mode": "standard", "total_max_attempts": _TRIES},
                max_pool_connections=_CONNECTIONS,
                signature_version="s3v4",
                # Bucket names are not host names where the store is reached by an IP address.
                s3={"addressing_style": "path"} if store.endpoint else {},
                # Newer checksums are not supported by many other stores than Amazon's.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._lock = threading.Lock()
        self._shared: Any = None

    @property
    def connection(self) -> Any:
        """The single connection of the process."""
        with self._lock:
            if self._shared is None:
                self._shared = self._create_session().resource(
                    "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=self.client_config
                )
            return self._shared

    def open_binary(self, name: str) -> BinaryIO:
        """Return a copy of a photo on this machine's disk, which was never whole in memory. Raises OSError."""
        with contextlib.ExitStack() as stack, _os_errors():
            file: BinaryIO = stack.enter_context(tempfile.TemporaryFile())
            answer = self.connection.meta.client.get_object(Bucket=self.bucket_name, Key=self._normalize_name(name))
            for piece in answer["Body"].iter_chunks(_PIECE_BYTES):
                file.write(piece)
            file.flush()
            stack.pop_all()
        return file

    def check(self) -> None:
        """Check the bucket with a request. Raises OSError."""
        with _os_errors():
            self.connection.meta.client.head_bucket(Bucket=self.bucket_name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name unchanged; a photo may be overwritten by an equal one."""
        return name

    def exists(self, name: str) -> bool:
        """Return whether there is such a photo. Raises OSError."""
        with _os_errors():
            return bool(super().exists(name))

    def delete(self, name: str) -> None:
        """Delete a photo; a missing one is not an error. Raises OSError."""
        with _os_errors():
            super().delete(name)

    def size(self, name: str) -> int:
        """Return the size in bytes. Raises OSError."""
        with _os_errors():
            return int(super().size(name))

    def get_modified_time(self, name: str) -> datetime:
        """Return the time of its upload. Raises OSError."""
        with _os_errors():
            found: datetime = super().get_modified_time(name)
            return found

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return folders and files. Raises OSError."""
        with _os_errors():
            folders, files = super().listdir(path)
            return folders, files

    def _open(self, name: str, _mode: str = "rb") -> ContentFile:  # type: ignore[type-arg]
        with _os_errors():
            answer = self.connection.meta.client.get_object(Bucket=self.bucket_name, Key=self._normalize_name(name))
            return ContentFile(answer["Body"].read(), name)

    def _save(self, name: str, content: Any) -> str:
        key = self._normalize_name(name)
        options = self._get_write_parameters(key, content)
        with _os_errors():
            self.connection.meta.client.put_object(Bucket=self.bucket_name, Key=key, Body=content.read(), **options)
        return name


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        kind = FileNotFoundError if status == 404 else OSError  # noqa: PLR2004
        raise kind(f"The photo store answers: {error}") from error
    except BotoCoreError as error:
        raise OSError(f"The photo store does not answer: {error}") from error
