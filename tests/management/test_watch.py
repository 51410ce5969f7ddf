"""`manage.py detect --watch`: photos that arrive in a folder, each once, through kills; and moved away if wanted."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.bulk import watching
from detection.bulk.watching import Watched
from detection.predict import service as predict_service
from tests.support import photos
from tests.support.arrivals import assert_each_answered_once_through_kills

pytestmark = pytest.mark.django_db


def test_arrivals_are_answered_once_through_a_kill(tmp_path: Path) -> None:
    assert_each_answered_once_through_kills(tmp_path, count=30, kills=1)


@pytest.fixture
def looks(tmp_path: Path) -> "Looks":
    return Looks(tmp_path)


class Looks:
    """One look into a folder after the other."""

    def __init__(self, folder: Path) -> None:
        self.watched = Watched(folder, 1000, left_out=frozenset({folder / "out"}), look_every_s=0)
        self._photos = self.watched.photos()
        self._folder = folder

    def names(self) -> list[str]:
        found = []
        while (photo := next(self._photos)) is not None:
            found.append(str(Path(photo.name).relative_to(self._folder)))
        return found


def test_file_is_taken_when_it_has_stayed_the_same_and_again_when_it_changes(looks: Looks, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.jpg"
    file.parent.mkdir()
    file.write_bytes(b"half")
    assert looks.names() == []
    file.write_bytes(b"whole")
    assert [looks.names() for _ in range(3)] == [[], ["deep/a.jpg"], []]
    file.write_bytes(b"another")
    assert [looks.names() for _ in range(3)] == [[], ["deep/a.jpg"], []]


def test_file_that_a_program_still_writes_is_left_for_later(looks: Looks, tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.write(b"half")
        file.flush()
        assert [looks.names() for _ in range(3)] == [[], [], []]
    assert looks.names() == ["a.jpg"]


def test_hidden_unfinished_and_own_files_are_left_out_and_others_named(looks: Looks, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in (".a.jpg.Xy12", "b.jpg.part", "out/c.jpg", "d.txt", "e.zip"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [looks.names() for _ in range(3)] == [[], [], []]
    assert sorted(looks.watched.skipped.names) == [str(tmp_path / name) for name in ("d.txt", "e.zip")]


def test_folder_that_goes_ends_the_run(looks: Looks, tmp_path: Path) -> None:
    assert looks.names() == []
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError):
        looks.names()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--watch", "hot", "--output", "o.csv"], "--watch needs --output FILE.jsonl", id="format"),
        pytest.param(["--watch", "hot"], "--watch needs --output FILE.jsonl", id="no output"),
        pytest.param(["--watch", "gone", "--output", "o.jsonl"], "There is no folder gone to watch.", id="no folder"),
        pytest.param(["a.jpg", "--watch", "hot"], "Name photos, or one folder with --watch.", id="both"),
        pytest.param([], "Name photos, or one folder with --watch.", id="neither"),
        pytest.param(["a.jpg", "--move-to", "done"], "--move-to needs --watch.", id="nothing watched"),
    ],
)
def test_options_that_do_not_go_together_say_so(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hot").mkdir()
    with pytest.raises(CommandError, match=sentence):
        call_command("detect", *arguments)


@pytest.fixture
def one_model(model: None) -> Iterator[None]:
    with mock.patch.object(predict_service, "stop"), mock.patch.object(watching, "LOOK_EVERY_S", 0.02):
        yield


def watch(*arguments: Any, looks: int) -> int:
    """Run the command for so many looks; its exit status."""
    left = iter(range(looks))

    def sleep(_seconds: float) -> None:
        if next(left, None) is None:
            signal.raise_signal(signal.SIGTERM)

    with mock.patch.object(time, "sleep", sleep), pytest.raises(SystemExit) as ended:
        call_command("detect", "--watch", *[str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("one_model")
def test_photos_are_moved_when_they_have_their_line_and_never_over_another(tmp_path: Path) -> None:
    hot, done, output = tmp_path / "hot", tmp_path / "hot" / "done", tmp_path / "out.jsonl"
    photo = photos.encode(photos.noise((32, 32)))
    for name in ("a.jpg", "day/b.jpg", "note.txt"):
        (hot / name).parent.mkdir(parents=True, exist_ok=True)
        (hot / name).write_bytes(photo)
    assert watch(hot, "--output", output, looks=3) == 130
    assert sorted(path.name for path in hot.rglob("*.jpg")) == ["a.jpg", "b.jpg"]
    # Answered before a restart, and moved after it; and one more of the same name.
    assert watch(hot, "--output", output, "--move-to", done, looks=3) == 130
    (hot / "a.jpg").write_bytes(photo + b"2")
    assert watch(hot, "--output", output, "--move-to", done, looks=8) == 130
    assert sorted(str(path.relative_to(hot)) for path in hot.rglob("*.*")) == [
        *("done/a (2).jpg", "done/a.jpg", "done/day/b.jpg", "note.txt")
    ]
    lines = [json.loads(line)["file"] for line in output.read_text().splitlines()]
    assert lines == [str(hot / name) for name in ("a.jpg", "day/b.jpg", "a.jpg")]
    with pytest.raises(CommandError, match="another watched folder"):
        call_command("detect", str(hot), "--output", str(output))
