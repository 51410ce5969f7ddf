"""S3-compatible object store on this machine: nanio, which checks signatures, in a process of its own."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
from botocore.config import Config

PATIENCE_S = 60.0
BUCKET = "photos"


@dataclass
class ObjectStore:
    """Running store with an empty bucket."""

    port: int
    folder: Path
    key: str
    secret: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment variables of a server that keeps its photos here."""
        return {
            "PHOTO_STORE_URL": f"s3://{BUCKET}/shared?endpoint={self.endpoint}&region=us-east-1",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables of a program of S3's that asks it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }

    def start(self) -> None:
        program = Path(sys.executable).with_name("nanio")
        environment = {**os.environ, "NANIO_ACCESS_KEY": self.key, "NANIO_SECRET_KEY": self.secret}
        options = ["--host=127.0.0.1", f"--port={self.port}", f"--data-dir={self.folder}", "--log-level=error"]
        self.process = subprocess.Popen([program, "serve", *options], env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, "nanio did not start"
            assert time.monotonic() < deadline

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            httpx.get(self.endpoint)
        except httpx.TransportError:
            return False
        return True


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Start a store in a folder and make its bucket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = ObjectStore(port, folder, secrets.token_hex(8), secrets.token_hex(16))
    store.start()
    try:
        client = boto3.client(
            "s3",
            endpoint_url=store.endpoint,
            region_name="us-east-1",
            aws_access_key_id=store.key,
            aws_secret_access_key=store.secret,
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=BUCKET)
        yield store
    finally:
        store.stop()
