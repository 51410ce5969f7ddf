"""Files that arrive in a folder as programs put them there: all at once, piece by piece, renamed when complete."""

import io
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from detection.conf import BASE_DIR
from tests.support import photo_files, photos
from tests.support.serving import server_environment

_PIECE_PAUSE_S = 0.002


@dataclass
class Arrivals:
    """A folder, and what has arrived there. photos, broken, others: names of files by what they are."""

    folder: Path
    photos: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def bring(self, numbers: range) -> None:
        """Let files with these numbers arrive: of ten, six photos, one HEIC, a text, a broken photo and a zip."""
        for number in numbers:
            kind = number % 10
            if kind == 7:
                self._arrive(f"{number}.txt", b"notes", self.others, number)
            elif kind == 8:
                broken = photos.encode(photos.noise((48, 48), number))[: 40 + number % 40]
                self._arrive(f"{number}.jpg", broken, self.broken, number)
            elif kind == 9:
                self._arrive(f"{number}.zip", _zip_of(number), self.others, number)
            elif kind == 6:
                self._arrive(f"{number}.HEIC", photo_files.chelsea_heic(), self.photos, number)
            else:
                self._arrive(f"{number}.jpg", photos.encode(photos.noise((48, 48), number)), self.photos, number)

    def _arrive(self, name: str, data: bytes, kind: set[str], number: int) -> None:
        path = self.folder / f"day {number % 3}" / name
        path.parent.mkdir(exist_ok=True)
        kind.add(str(path))
        way = number % 4
        if way == 0:
            path.write_bytes(data)
        elif way == 1:
            with path.open("wb", buffering=0) as file:
                for start in range(0, len(data), 500):
                    file.write(data[start : start + 500])
                    time.sleep(_PIECE_PAUSE_S)
        else:
            aside = path.with_name(f".{name}.tmp" if way == 2 else f"{name}.part")
            aside.write_bytes(data)
            aside.rename(path)


def _zip_of(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.jpg", photos.encode(photos.noise((32, 32), number)))
    return buffer.getvalue()


def assert_each_answered_once_through_kills(here: Path, count: int, kills: int) -> None:
    """Let files arrive in a watched folder, kill the command as often, and look whether each photo was answered once
    and each failure named.
    """
    arrivals, output = Arrivals(here / "hot"), here / "out.jsonl"
    arrivals.folder.mkdir()
    parts = [range(count * part // (kills + 1), count * (part + 1) // (kills + 1)) for part in range(kills + 1)]
    log = here / "log"
    for part, numbers in enumerate(parts):
        before = len(arrivals.photos | arrivals.broken)
        with log.open("w") as told:
            process = _watch(arrivals.folder, output, here / "data", told.fileno())
            arrivals.bring(numbers)
            wanted = len(arrivals.photos | arrivals.broken)
            is_last = part == kills
            # Killed in the middle of the work, and while the journal and the folder disagree.
            _wait_for_lines(process, output, wanted if is_last else (before + wanted) // 2, log)
            _wait_for_names(process, log, arrivals.others if is_last else set())
            process.terminate() if is_last else process.kill()
            process.wait()
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert Counter(line["file"] for line in lines) == Counter(arrivals.photos | arrivals.broken)
    assert {line["file"] for line in lines if "error" in line} == arrivals.broken
    summary = log.read_text()
    assert f"{len(arrivals.photos):,} photos answered, {len(arrivals.broken):,} failed" in summary
    assert f"Skipped {len(arrivals.others):,} files that are no photos by name" in summary


def _watch(folder: Path, output: Path, data_dir: Path, log: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(BASE_DIR / "manage.py"), "detect", "--watch", str(folder), "--output", str(output)]
    return subprocess.Popen(command, env=server_environment({"DATA_DIR": str(data_dir)}), stdout=log, stderr=log)


def _wait_for_lines(process: "subprocess.Popen[bytes]", output: Path, count: int, log: Path) -> None:
    while not output.exists() or output.read_bytes().count(b"\n") < count:
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)


def _wait_for_names(process: "subprocess.Popen[bytes]", log: Path, names: set[str]) -> None:
    while not all(f"{name}: no photo by its name." in log.read_text() for name in names):
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
