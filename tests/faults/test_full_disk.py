"""A full disk: 503 with a sentence, nothing half there, and all is well when there is room again."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.databases import Database, manage
from tests.faults.truth import Sent, check, photo, stored_files
from tests.support.serving import running_server

DISK_BYTES = 96_000_000
ROOM_BYTES = 3_000_000
PHOTO_EDGE_PX = 400
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system in memory")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave_bytes: int) -> Path:
    """A file that takes all room but a little."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave_bytes)
    return ballast


def test_full_disk_is_answered_with_503_and_nothing_half_written(small_disk: Path) -> None:
    database, sent = Database("", small_disk), Sent()
    with (
        running_server(database.settings) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        assert sent.post(client, photo(0, PHOTO_EDGE_PX)) == 200
        ballast = fill(small_disk, ROOM_BYTES)
        statuses = [sent.post(client, photo(seed, PHOTO_EDGE_PX)) for seed in range(1, 60)]
        assert set(statuses) == {200, 503}
        assert {sentence for _, sentence in sent.refused} <= {
            f"The detection could not be kept: the {what} cannot be written now. Nothing was stored; try again later."
            for what in ("photo store", "database")
        }
        assert check(database, sent.answered) == set()
        assert client.get("/readyz").status_code == 200
        assert client.post("/predict?store=0", content=photo(99), headers=JPEG).status_code == 200
        ballast.unlink()
        assert sent.post(client, photo(100, PHOTO_EDGE_PX)) == 200
    assert check(database, sent.answered) == set()
    assert len(stored_files(database)) == len(sent.answered)


def test_server_makes_room_by_itself_when_it_may(small_disk: Path) -> None:
    """RETENTION's free: the same disk, and a `prune` by hand in the place of the task that runs every minute."""
    database, sent = Database("", small_disk), Sent()
    with (
        running_server(database.settings) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        assert {sent.post(client, photo(seed, PHOTO_EDGE_PX)) for seed in range(10)} == {200}
        # Less than a photo takes, and more than a deletion: SQLite first writes the pages that it changes into its log.
        fill(small_disk, 200_000)
        assert sent.post(client, photo(11, PHOTO_EDGE_PX)) == 503
        assert manage(database, "prune", "--min-free", "500KB") == 0
        assert sent.post(client, photo(12, PHOTO_EDGE_PX)) == 200
        newest = [*sent.answered][-1]
        assert client.get(f"/api/detections/{newest}/photo").status_code == 200
    left = {str(uuid.UUID(row[0])) for row in database.rows("SELECT uuid FROM detection_detection")}
    assert next(iter(sent.answered)) not in left
    assert left < set(sent.answered)
