"""`manage.py detect`: a base of photos in, a line for each; killed and started again, each photo once."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from detection.bulk.journal import Records
from detection.bulk.processing import annotated_path
from detection.bulk.sources import videos
from detection.errors import DetectionTimeoutError, StorageUnavailableError
from detection.inference.errors import EngineError
from detection.inference.videos import frames
from detection.models import Detection
from detection.photos import rendering
from detection.predict import service as predict_service
from tests.support import photo_files, photos
from tests.support.builders import stored_rows
from tests.support.serving import server_environment
from tests.support.videos import colours, make_video

BASE = Path(__file__).resolve().parents[2]
# The active version is asked for.
pytestmark = pytest.mark.django_db
_FILE_OF_EACH = "SELECT d.uuid, p.file FROM detection_detection d JOIN detection_photo p ON p.id = d.photo_id"
Lines = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def one_model(model: None) -> Iterator[None]:
    """The commands share the model of all tests, which takes longer to load than they run."""
    with mock.patch.object(predict_service, "stop"):
        yield


@pytest.fixture
def base(here: Path, chelsea: bytes) -> Path:
    """A cat, a damaged photo, and two small photos without objects."""
    folder = here / "base"
    folder.mkdir()
    (folder / "a cat.jpg").write_bytes(chelsea)
    (folder / "b damaged.jpg").write_bytes(chelsea[:100])
    (folder / "c.jpg").write_bytes(photos.encode(photos.noise((32, 32), 1)))
    (folder / "d.png").write_bytes(photos.encode(photos.noise((32, 32), 2), "PNG"))
    return folder


def detect(*arguments: Any) -> int:
    """The command within this process; its exit status."""
    try:
        call_command("detect", *[str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def read_lines(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_photo_gets_a_line_in_order_and_the_damaged_one_says_why(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect("base", "--output", "out.jsonl") == 3
    cat, damaged, small, _ = lines = read_lines(Path("out.jsonl"))
    assert [line["file"] for line in lines] == ["base/a cat.jpg", "base/b damaged.jpg", "base/c.jpg", "base/d.png"]
    assert (cat["width"], cat["height"], cat["prediction"][0]["objectClass"]) == (451, 300, "cat")
    assert set(cat["prediction"][0]) == {"objectClass", "probability", "x", "y", "width", "height"}
    assert damaged == {"file": "base/b damaged.jpg", "error": mock.ANY}
    assert small == {"file": "base/c.jpg", "width": 32, "height": 32, "prediction": []}
    told = capsys.readouterr().err
    assert f"base/b damaged.jpg: {damaged['error']}" in told
    assert "3 photos answered, 1 failed; 4 of them in this run" in told
    assert sorted(path.name for path in Path().iterdir()) == ["base", "out.jsonl"]


def test_answers_are_those_of_the_service(base: Path, chelsea: bytes) -> None:
    detect("base/a cat.jpg", "--output", "out.jsonl", "--threshold", "0.2")
    (line,) = read_lines(Path("out.jsonl"))
    answer = predict_service.detect(predict_service.Upload(chelsea, source="command", threshold=0.2, store=False))
    assert [(found["probability"], found["x"]) for found in line["prediction"]] == [
        (found.probability, found.box.x) for found in answer.objects
    ]


def test_tiles_are_said_in_each_line_and_belong_to_the_run(base: Path) -> None:
    assert detect("base/a cat.jpg", "base/c.jpg", "--tiles", "auto", "--output", "out.jsonl") == 0
    cat, small = read_lines(Path("out.jsonl"))
    assert (cat["tiles"], cat["prediction"][0]["objectClass"], "tiles" in small) == ("2x1", "cat", False)
    assert detect("base/a cat.jpg", "--tiles", "3", "--output", "out.coco.json") == 0
    assert json.loads(Path("out.coco.json").read_bytes())["images"][0]["tiles"] == "3x3"


def test_without_an_output_the_lines_go_to_standard_output(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detect("base/c.jpg", "base/d.png") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == ["base/c.jpg", "base/d.png"]


@pytest.mark.parametrize(
    ("paths", "status"),
    [(["base/c.jpg"], 0), (["base"], 3), (["base/b damaged.jpg"], 1), (["gone"], 1), (["empty"], 1)],
    ids=["all fine", "some failed", "all failed", "nothing there", "empty folder"],
)
def test_exit_status_says_so(paths: list[str], status: int, base: Path) -> None:
    Path("empty").mkdir()
    assert detect(*paths, "--output", "out.jsonl") == status


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--format", "xml"], "There is no format xml. Choose one of coco, ", id="unknown format"),
        pytest.param(["--format", "coco"], "Name a file for it with --output", id="coco to standard output"),
        pytest.param(["--output", "out.dat"], "No format is known by the end of out.dat", id="unknown name"),
        pytest.param(["--output", "gone/out.jsonl"], "No such file or directory", id="missing folder"),
        pytest.param(["--threshold", "2"], "2 is no probability", id="threshold above 1"),
        pytest.param(["--threshold", "half"], "half is no probability", id="threshold in words"),
    ],
)
def test_command_that_cannot_run_says_what_to_do(arguments: list[str], sentence: str, base: Path) -> None:
    with pytest.raises(CommandError, match=sentence):
        detect("base", *arguments)


def test_photo_above_the_limit_fails_alone(base: Path, limits: Any) -> None:
    limits(max_body_bytes=10_000)
    assert detect("base", "--output", "out.jsonl") == 3
    first = read_lines(Path("out.jsonl"))[0]
    assert first["error"].startswith("The photo has more than 10,000 bytes")


def test_photos_of_an_archive_are_answered_in_place(base: Path, chelsea: bytes) -> None:
    with zipfile.ZipFile("p.zip", "w") as archive:
        for name in ("cat.jpg", "damaged.jpg", "large.jpg"):
            archive.writestr(name, {"cat.jpg": chelsea, "damaged.jpg": b"no"}.get(name, bytes(30_000_000)))
    assert detect("base/c.jpg", "p.zip", "--output", "out.jsonl", "--annotated", "drawn") == 3
    _, cat, damaged, large = read_lines(Path("out.jsonl"))
    assert (cat["file"], cat["prediction"][0]["objectClass"]) == ("p.zip/cat.jpg", "cat")
    assert damaged["error"].startswith("The photo cannot be read")
    assert large["error"].startswith("The photo has more than 20,000,000 bytes")
    assert Path("drawn/p.zip/cat.jpg").is_file()


def test_drawn_photos_are_those_of_the_site(base: Path, chelsea: bytes) -> None:
    detect("base", "--output", "out.jsonl", "--annotated", "drawn")
    drawn = sorted(str(path) for path in Path("drawn").rglob("*.*"))
    assert drawn == ["drawn/base/a cat.jpg", "drawn/base/c.jpg", "drawn/base/d.png.jpg"]
    answer = predict_service.detect(predict_service.Upload(chelsea, source="command", store=False))
    assert Path("drawn/base/a cat.jpg").read_bytes() == rendering.draw(chelsea, answer.objects, max_pixels=10**6)
    with Image.open("drawn/base/d.png.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (32, 32))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("/data/a.jpg", "drawn/data/a.jpg", id="from the root"),
        pytest.param("../../a.jpg", "drawn/__/__/a.jpg", id="upwards"),
        pytest.param("p.zip//etc/a.PNG", "drawn/p.zip/etc/a.PNG.jpg", id="member from the root"),
        pytest.param("p.zip/..\\a.jpeg", "drawn/p.zip/.._a.jpeg", id="backslash"),
        pytest.param("p.zip/a\0.jpg", "drawn/p.zip/a_.jpg", id="NUL"),
        pytest.param("/", "drawn/photo.jpg", id="no name"),
    ],
)
def test_drawn_photo_stays_below_its_folder(name: str, place: str) -> None:
    assert annotated_path(Path("drawn"), name) == Path(place)


def test_drawn_photo_that_cannot_be_written_ends_the_run_and_it_goes_on_later(base: Path) -> None:
    Path("drawn").write_text("in the way")
    with pytest.raises(CommandError, match=r"drawn.* cannot be written: .*The same command goes on from there"):
        detect("base", "--output", "out.jsonl", "--annotated", "drawn")
    Path("drawn").unlink()
    assert detect("base", "--output", "out.jsonl", "--annotated", "drawn") == 3
    assert len(read_lines(Path("out.jsonl"))) == 4


@pytest.mark.parametrize(
    "error",
    [EngineError("The GPU is gone."), StorageUnavailableError("Disk full."), DetectionTimeoutError("Too long.")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_photos_fault_ends_the_run_and_fails_no_photo(error: Exception, base: Path) -> None:
    with (
        mock.patch.object(predict_service, "detect", side_effect=error),
        pytest.raises(CommandError, match=str(error)),
    ):
        detect("base", "--output", "out.jsonl")
    assert read_lines(Path("out.jsonl")) == []
    assert detect("base", "--output", "out.jsonl") == 3


def test_full_disk_under_the_output_ends_the_run_and_it_goes_on_later(base: Path) -> None:
    with (
        mock.patch.object(Records, "add", side_effect=OSError(28, "No space left on device")),
        pytest.raises(CommandError, match=r"No space left on device\. Fix that\. The same command goes on"),
    ):
        detect("base", "--output", "out.jsonl")
    assert detect("base", "--output", "out.jsonl") == 3
    assert len(read_lines(Path("out.jsonl"))) == 4


def test_results_in_coco_are_read_back_and_failures_are_beside_them(base: Path) -> None:
    assert detect("base", "--output", "out.coco.json") == 3
    coco = json.loads(Path("out.coco.json").read_bytes())
    assert [image["file_name"] for image in coco["images"]] == ["base/a cat.jpg", "base/c.jpg", "base/d.png"]
    box = coco["annotations"][0]
    assert (box["image_id"], coco["categories"][box["category_id"] - 1]["name"]) == (1, "cat")
    (failed,) = read_lines(Path("out.coco.json.errors.jsonl"))
    assert failed["file"] == "base/b damaged.jpg"
    assert sorted(path.name for path in Path().iterdir()) == ["base", "out.coco.json", "out.coco.json.errors.jsonl"]


def test_results_as_a_table_are_text_and_no_formulas(base: Path) -> None:
    Path("=1+1.jpg").write_bytes(Path("base/a cat.jpg").read_bytes())
    assert detect("base/a cat.jpg", "=1+1.jpg", "--output", "out.csv") == 0
    with Path("out.csv").open(newline="", encoding="utf-8-sig") as file:
        first, second = csv.DictReader(file)
    assert (first["file_name"], first["class"]) == ("base/a cat.jpg", "cat")
    assert second["file_name"] == "'=1+1.jpg"


@pytest.mark.parametrize(
    ("name", "member"), [("yolo", "labels/base/a cat.txt"), ("voc", "Annotations/base/a cat.xml")], ids=["yolo", "voc"]
)
def test_results_as_training_data_have_a_file_of_labels_for_each_photo(name: str, member: str, base: Path) -> None:
    assert detect("base/a cat.jpg", "base/c.jpg", "--output", "out.zip", "--format", name) == 0
    with zipfile.ZipFile("out.zip") as archive:
        assert member in archive.namelist()
        assert archive.read(member)


def test_finished_output_is_not_overwritten(base: Path) -> None:
    detect("base/c.jpg", "--output", "out.jsonl")
    before = Path("out.jsonl").read_bytes()
    with pytest.raises(CommandError, match=r"out\.jsonl is there already, complete"):
        detect("base", "--output", "out.jsonl")
    assert Path("out.jsonl").read_bytes() == before


@pytest.mark.django_db(transaction=True)
def test_recorded_photos_are_in_the_history(base: Path) -> None:
    assert detect("base", "--output", "out.jsonl", "--record") == 3
    lines = {line["file"]: line.get("detection") for line in read_lines(Path("out.jsonl"))}
    kept = {str(one.uuid): one for one in Detection.objects.select_related("photo")}
    assert lines.pop("base/b damaged.jpg") is None
    assert set(lines.values()) == set(kept)
    cat = kept[str(lines["base/a cat.jpg"])]
    assert (cat.source, cat.photo.original_name) == ("command", "base/a cat.jpg")


@pytest.mark.django_db(transaction=True)
def test_photo_that_was_recorded_but_has_no_line_yet_is_not_recorded_twice(base: Path, stored_files: Any) -> None:
    """The process was killed between the commit and the line."""
    with (
        mock.patch.object(Records, "add", side_effect=OSError("killed here")),
        pytest.raises(CommandError, match="killed here"),
    ):
        detect("base", "--output", "out.jsonl", "--record")
    rows, files = stored_rows(), stored_files()
    assert rows[1] == 3
    assert detect("base", "--output", "out.jsonl", "--record") == 3
    assert (stored_rows(), stored_files()) == (rows, files)
    answered = [line["detection"] for line in read_lines(Path("out.jsonl")) if "error" not in line]
    assert set(answered) == {str(found) for found in Detection.objects.values_list("uuid", flat=True)}


def command(*arguments: str, data_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(BASE / "manage.py"), "detect", *arguments],
        env=server_environment({"DATA_DIR": str(data_dir)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "latin-1"])
def test_a_terminal_of_another_encoding_gets_json_that_is_the_same(encoding: str, base: Path, chelsea: bytes) -> None:
    names = ["base/c.jpg", "base/кот и 猫 \N{CAT FACE}.jpg", "base/é.jpg"]
    for name in names[1:]:
        Path(name).write_bytes(chelsea)
    done = subprocess.run(
        [sys.executable, str(BASE / "manage.py"), "detect", *names, "gone猫.jpg"],
        env=server_environment({"DATA_DIR": str(base / "data")}) | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert b"Traceback" not in done.stderr
    files = [json.loads(line)["file"] for line in done.stdout.decode(encoding).splitlines()]
    assert files == [*names, "gone猫.jpg"]


@pytest.mark.parametrize("name", ["a.yolo.zip", "a.voc.zip", "A.YOLO.ZIP", "a.coco.json", "a.csv"])
def test_the_format_follows_from_the_name(name: str, base: Path) -> None:
    assert detect("base/c.jpg", "--output", name) == 0
    assert Path(name).stat().st_size > 0


def many(folder: Path, count: int) -> list[str]:
    """Different small photos; their names in the order of the input."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(photos.encode(photos.noise((48, 48), number)))
    return [f"{folder.name}/{number:05}.jpg" for number in range(count)]


def wait_for_lines(process: "subprocess.Popen[str]", path: Path, count: int) -> None:
    """Until the output has so many lines; the process must live."""
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()[0]
        os.sched_yield()


def test_killed_run_goes_on_and_answers_each_photo_once(here: Path) -> None:
    names = many(here / "base", 300)
    arguments = ("base", "--output", "out.jsonl", "--record")
    for kills_at in (20, 120):
        process = command(*arguments, data_dir=here / "data")
        wait_for_lines(process, here / "out.jsonl", kills_at)
        process.kill()
        process.communicate()
        assert kills_at <= (here / "out.jsonl").read_bytes().count(b"\n") < len(names)
    process = command(*arguments, data_dir=here / "data")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    lines = read_lines(here / "out.jsonl")
    assert [line["file"] for line in lines] == names
    assert recorded_by(here / "data") == sorted(line["detection"].replace("-", "") for line in lines)


def recorded_by(data_dir: Path) -> list[str]:
    """The ids in the database of another process's folder, and nothing half there."""
    database = sqlite3.connect(data_dir / "detector.sqlite3")
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute(
            "SELECT d.uuid, p.file FROM detection_detection d JOIN detection_photo p ON p.id = d.photo_id"
        )
        kept = dict(rows.fetchall())
    finally:
        database.close()
    files = {str(path.relative_to(data_dir / "photos")) for path in (data_dir / "photos").rglob("*.jpg")}
    assert set(kept.values()) <= files
    return sorted(kept)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_finishes_what_runs_and_says_that_it_stopped(number: int, here: Path) -> None:
    names = many(here / "base", 300)
    process = command("base", "--output", "out.jsonl", data_dir=here / "data")
    wait_for_lines(process, here / "out.jsonl", 5)
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == 130, output
    assert "Stopped. " in output
    assert "Traceback" not in output
    lines = read_lines(here / "out.jsonl")
    assert [line["file"] for line in lines] == names[: len(lines)]
    assert (here / "out.jsonl.journal").exists()


def test_list_comes_from_standard_input_and_a_reader_may_leave(here: Path) -> None:
    names = many(here / "base", 200)
    shell = f"'{sys.executable}' '{BASE / 'manage.py'}' detect - 2>errors | head -n 1"
    done = subprocess.run(
        ["sh", "-c", shell],
        input="\n".join(names),
        env=server_environment({"DATA_DIR": str(here / "data")}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["file"] == names[0]
    assert "Traceback" not in Path("errors").read_text()


def test_photos_of_all_kinds_are_found_in_folders_and_archives(here: Path) -> None:
    folder, archive = here / "kinds", here / "kinds.zip"
    folder.mkdir()
    made = {suffix: data for suffix, (data, _) in photo_files.of_each_kind(photos.noise((64, 48))).items()}
    made["HEIC"] = photo_files.chelsea_heic()
    with zipfile.ZipFile(archive, "w") as opened:
        for suffix, data in made.items():
            (folder / f"photo.{suffix}").write_bytes(data)
            opened.writestr(f"photo.{suffix}", data)
        opened.writestr("photo.txt", b"no photo")
    assert detect(folder, archive, "--output", "out.jsonl") == 0
    lines = read_lines(here / "out.jsonl")
    assert len(lines) == 2 * len(made)
    assert {tuple(sorted(line)) for line in lines} == {("file", "height", "prediction", "width")}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("out.yolo.zip", {"labels/a.jpg.txt", "labels/a.png.txt", "labels/b.txt"}),
        ("out.voc.zip", {"Annotations/a.jpg.xml", "Annotations/a.png.xml", "Annotations/b.xml"}),
    ],
)
def test_photos_that_differ_by_their_type_alone_have_label_files_of_their_own(
    name: str, files: set[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for seed, photo in enumerate(("a.jpg", "a.png", "b.jpg")):
        folder = tmp_path / "photos"
        folder.mkdir(exist_ok=True)
        kind = "PNG" if photo.endswith("png") else "JPEG"
        (folder / photo).write_bytes(photos.encode(photos.noise((32, 32), seed), kind))
    assert detect(tmp_path / "photos", "--output", tmp_path / name) == 0
    with zipfile.ZipFile(tmp_path / name) as written:
        found = {path for path in written.namelist() if path.startswith(("labels", "Annotations"))}
    assert {path.replace(f"{str(tmp_path).lstrip('/')}/photos/", "") for path in found} == files
    assert "Photos differ by the type in their names alone (1 names" in caplog.text


def test_frames_of_a_video_are_photos_with_times(here: Path, chelsea: bytes) -> None:
    cat = Image.open(io.BytesIO(chelsea)).resize((320, 208))
    (here / "base").mkdir()
    (here / "base" / "clip.mp4").write_bytes(make_video([cat] * 25))
    (here / "base" / "cut.mp4").write_bytes(make_video([cat] * 25)[:500])
    assert detect("base", "--output", "none.jsonl") == 1
    assert detect("base", "--frames", "1s", "--output", "out.jsonl", "--annotated", "drawn") == 3
    *found, cut = sorted(read_lines(Path("out.jsonl")), key=lambda line: "error" in line)
    assert [(line["file"], line["time_s"]) for line in found] == [
        ("base/clip.mp4 @ 00:00.000", 0.0),
        ("base/clip.mp4 @ 00:01.000", 1.0),
        ("base/clip.mp4 @ 00:02.000", 2.0),
    ]
    assert {line["prediction"][0]["objectClass"] for line in found} == {"cat"}
    assert cut["file"] == "base/cut.mp4"
    assert "damaged, or cut off" in cut["error"]
    assert Path("drawn/base/clip.mp4 @ 00:01.000.jpg").is_file()
    detect("base", "--frames", "1s", "--output", "out.csv")
    with Path("out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["time_s"] for row in csv.DictReader(file)] == ["0.0", "1.0", "2.0"]
    detect("base", "--frames", "change", "--output", "out.parquet")
    table = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow (requirements-parquet.txt)")
    assert table.read_table("out.parquet/photos").column("time_s").to_pylist() == [0.0]


def test_video_is_refused_by_name_with_what_to_do(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "clip.mp4").write_bytes(b"any")
    detect("clip.mp4", "--output", "unchosen.jsonl")
    monkeypatch.setattr(frames, "is_installed", lambda: False)
    detect("clip.mp4", "--frames", "1s", "--output", "without.jsonl")
    (unchosen,), (without,) = read_lines(Path("unchosen.jsonl")), read_lines(Path("without.jsonl"))
    assert unchosen == {"file": "clip.mp4", "error": videos.NOT_CHOSEN}
    assert "pip install -r requirements-video.txt" in without["error"]


def test_killed_run_goes_on_within_a_video(here: Path) -> None:
    (here / "clip.mp4").write_bytes(make_video(colours("red", "blue", "lime", frames_each=10)))
    with mock.patch.object(Records, "add", autospec=True, side_effect=_fails_after(1)), pytest.raises(CommandError):
        detect("clip.mp4", "--frames", "1s", "--output", "out.jsonl")
    assert len(read_lines(Path("out.jsonl"))) == 1
    with pytest.raises(CommandError, match="another choice of frames: 1s, and now it is 2s"):
        detect("clip.mp4", "--frames", "2s", "--output", "out.jsonl")
    assert detect("clip.mp4", "--frames", "1s", "--output", "out.jsonl") == 0
    assert [line["time_s"] for line in read_lines(Path("out.jsonl"))] == [0.0, 1.0, 2.0]


def _fails_after(lines: int) -> Callable[[Records, dict[str, Any]], None]:
    add, added = Records.add, list[str]()

    def fail(self: Records, line: dict[str, Any]) -> None:
        if len(added) == lines:
            raise OSError("The disk is full")
        added.append(line["file"])
        add(self, line)

    return fail
