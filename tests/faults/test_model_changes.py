"""The active model changes back and forth under load: nobody notices but by the names, and memory comes back.

MODEL_CHANGES=50 makes as many changes; the memory is printed (`-s`).
"""

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.support import photos
from tests.support.serving import Server, running_server, server_environment

REPOSITORY = Path(__file__).resolve().parents[2]
CHANGES = int(os.environ.get("MODEL_CHANGES", "4"))
CLIENTS = 8
# What each of them calls the object of the photo.
CLASSES = {"nanodet_plus_m@1.0": "motorcycle", "mobilenet_ssd_voc@1.0": "motorbike"}
# Reads a version a line, lets it answer, and says so.
ACTIVATE = """
import sys, django
django.setup()
from pathlib import Path
from detection.registry import versions as model_versions
for line in sys.stdin:
    name, _, version = line.strip().partition("@")
    try:
        row = model_versions.find(line.strip())
    except model_versions.ModelVersionError:
        row = model_versions.add(Path("models") / name)
    model_versions.activate(row)
    print(row, flush=True)
"""


class Seen(NamedTuple):
    """One answer."""

    status: int
    model: str
    detection: str
    object_class: str


@contextmanager
def operator(settings: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Another process on the same database, which changes the model."""
    environment = {**server_environment(settings), "DJANGO_SETTINGS_MODULE": "detector_site.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", ACTIVATE],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate()


def change(server: Server, process: "subprocess.Popen[str]", reference: str) -> None:
    """Activate a version and wait until it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{reference}\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() == reference
    name = reference.partition("@")[0]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while client.get("/api/model").json()["name"] != name:
            assert server.process.poll() is None


def memory_mb(server: Server) -> float:
    return float(httpx.get(f"{server.url}/api/models", timeout=60).json()["resident_memory_bytes"]) / 1e6


def send(client: httpx.Client, photo: bytes) -> Seen:
    answer = client.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"})
    found = answer.json().get("prediction", [])
    headers = answer.headers
    return Seen(
        answer.status_code,
        headers.get("X-Model", ""),
        headers.get("X-Detection-Id", ""),
        found[0]["objectClass"] if found else "",
    )


def test_changes_under_load_fail_no_request_and_memory_comes_back(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path), "MODEL_PREFIX": "", "MODELS": "none"}
    photo = photos.real_photo("motorcycle_left")
    done = threading.Event()

    def client(server: Server) -> list[Seen]:
        with httpx.Client(base_url=server.url, timeout=60) as asking:
            seen = [send(asking, photo)]
            while not done.is_set():
                seen.append(send(asking, photo))
        return seen

    with running_server(settings) as server, operator(settings) as changing:
        names = itertools.cycle(CLASSES)
        for _ in range(2):
            change(server, changing, next(names))
            with httpx.Client(base_url=server.url, timeout=60) as asking, ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda _: send(asking, photo), range(5 * CLIENTS)))
        before = memory_mb(server)
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(client, server) for _ in range(CLIENTS)]
            try:
                for _ in range(CHANGES):
                    change(server, changing, next(names))
            finally:
                done.set()
            seen = [each for one in clients for each in one.result()]
        after = memory_mb(server)
    print(f"{CHANGES} changes, {len(seen)} answers; memory {before:.0f} MB before, {after:.0f} MB after")  # noqa: T201
    assert {each.status for each in seen} == {200}
    assert {(each.model, each.object_class) for each in seen} == set(CLASSES.items())
    kept = rows(tmp_path)
    assert {each.detection: each.model for each in seen}.items() <= kept.items()
    assert after < before * 1.25


def rows(data_dir: Path) -> dict[str, str]:
    """name@version by the id of a detection."""
    database = sqlite3.connect(data_dir / "detector.sqlite3")
    try:
        asked = database.execute("SELECT uuid, model_name, model_version FROM detection_detection")
        return {str(uuid.UUID(one)): f"{name}@{version}" for one, name, version in asked.fetchall()}
    finally:
        database.close()
