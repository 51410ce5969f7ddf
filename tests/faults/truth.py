"""Invariants after every fault, read from disk and database past the server."""

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.databases import Database
from tests.support import photos

_STORED = """
    SELECT d.uuid, p.sha256, p.file, (SELECT count(*) FROM detection_detectedobject o WHERE o.detection_id = d.id),
           d.reported_count
    FROM detection_detection d JOIN detection_photo p ON p.id = d.photo_id
"""
_HALF = """
    SELECT count(*) FROM detection_photo p
    WHERE NOT EXISTS (SELECT 1 FROM detection_detection d WHERE d.photo_id = p.id)
"""


@dataclass
class Sent:
    """What a client was told: the SHA-256 of the photo for each id that came with status 200, and other answers."""

    answered: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def post(self, client: httpx.Client, data: bytes) -> int:
        """Send a photo; the status. Raises httpx.TransportError when no answer came."""
        answer = client.post("/predict", content=data, headers={"Content-Type": "image/jpeg"})
        if answer.status_code == httpx.codes.OK:
            self.answered[answer.headers["X-Detection-Id"]] = hashlib.sha256(data).hexdigest()
        else:
            self.refused.append((answer.status_code, answer.json()["error"]))
        return answer.status_code


def photo(seed: int, edge_px: int = 64) -> bytes:
    """A photo that no other seed gives."""
    return photos.encode(photos.noise((edge_px, edge_px), seed))


def stored_files(database: Database) -> dict[str, Path]:
    """The files in the photo store, by their names in the database."""
    folder = database.data_dir / "photos"
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def check(database: Database, answered: dict[str, str]) -> set[str]:
    """Everything that a client was promised is there, and nothing is half there; the files that no row names.

    A file that no row names may be there after a kill: it was written before its row. It is never half a file.
    """
    assert database.is_whole()
    rows = {str(uuid.UUID(str(row[0]))): row[1:] for row in database.rows(_STORED)}
    files = stored_files(database)
    lost = {detection: sha256 for detection, sha256 in answered.items() if detection not in rows}
    assert lost == {}, f"{len(lost)} of {len(answered)} answered detections are not in the database"
    assert {key: rows[key][0] for key in answered} == answered
    for _, name, objects, reported in rows.values():
        assert name in files, f"the row of {name} has no file"
        assert reported <= objects
    assert database.rows(_HALF) == [(0,)]
    for name, path in files.items():
        if not name.endswith(".part"):
            content = path.read_bytes()
            assert (content[:2], content[-2:]) == (b"\xff\xd8", b"\xff\xd9"), f"{name} is half a JPEG"
    return set(files) - {row[1] for row in rows.values()}
