"""Which photos a command line names: in order, hidden and foreign files passed over, damage told in its place."""

import gzip
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from detection.bulk.files import BadPhotoError, PhotoFile, Skipped
from detection.bulk.sources import archives
from detection.bulk.sources.inputs import Inputs

LIMIT = 1000
Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inputs(*paths: str, listed: bytes = b"") -> Inputs:
    return Inputs(paths, io.BytesIO(listed), LIMIT)


def content(photo: PhotoFile) -> bytes | str:
    """The bytes of a photo, or the sentence why there are none."""
    try:
        return photo.read()
    except BadPhotoError as error:
        return str(error)


def read(found: Inputs) -> list[tuple[str, bytes | str]]:
    return [(photo.name, content(photo)) for photo in found.photos()]


def names(found: Inputs) -> list[str]:
    return [name for name, _ in read(found)]


def write(files: Files) -> None:
    for name, data in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)


def write_zip(name: str, files: Files) -> None:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in files.items():
            archive.writestr(member, data)


def write_tar(name: str, files: Files) -> None:
    with tarfile.open(name, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


WRITERS: list[tuple[str, Callable[[str, Files], None]]] = [
    ("photos.zip", write_zip),
    ("photos.tar", write_tar),
    ("photos.tar.gz", write_tar),
    ("PHOTOS.TGZ", write_tar),
]


def test_folder_is_taken_with_all_below_it_by_name() -> None:
    write({"p/b.jpg": b"b", "p/a.PNG": b"a", "p/z/c.webp": b"c", "p/m/d.jpeg": b"d", "p/notes.txt": b"no"})
    assert read(inputs("p")) == [("p/a.PNG", b"a"), ("p/b.jpg", b"b"), ("p/m/d.jpeg", b"d"), ("p/z/c.webp", b"c")]
    assert inputs("p").count() == 4


def test_every_file_that_is_skipped_is_named_in_a_file_where_there_are_many(here: Path) -> None:
    write({f"p/{number:02}.txt": b"no" for number in range(12)} | {"p/a.jpg": b"a"})
    found = Inputs(("p",), io.BytesIO(), LIMIT, skipped=Skipped(here / "skipped.txt"))
    assert len(list(found.photos())) == 1
    assert str(found.skipped).startswith("Skipped 12 files that are no photos by name: p/00.txt, ")
    assert str(found.skipped).endswith(f"p/09.txt, and 2 more (all in {here / 'skipped.txt'}).")
    assert (here / "skipped.txt").read_text().split() == [f"p/{number:02}.txt" for number in range(12)]


def test_hidden_files_and_folders_are_passed_over() -> None:
    write({"p/._a.jpg": b"", "p/.trash/b.jpg": b"", "p/c.jpg": b"c"})
    assert names(inputs("p")) == ["p/c.jpg"]


def test_link_to_a_folder_above_is_no_endless_way() -> None:
    write({"p/a.jpg": b"a"})
    Path("p/again").symlink_to(Path.cwd() / "p")
    assert names(inputs("p")) == ["p/a.jpg"]


def test_folder_that_cannot_be_read_fails_and_the_rest_is_taken() -> None:
    write({"p/a.jpg": b"a", "p/closed/b.jpg": b"b"})
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with mock.patch("os.scandir", refuse):
        assert read(inputs("p")) == [
            ("p/a.jpg", b"a"),
            ("p/closed", "The folder cannot be read: Permission denied."),
        ]


def test_named_file_is_taken_whatever_it_is_called() -> None:
    write({"photo": b"x"})
    assert read(inputs("photo")) == [("photo", b"x")]
    assert inputs("photo").count() == 1


def test_pattern_names_files_by_name_and_no_folders() -> None:
    write({"p/b.jpg": b"b", "p/a.jpg": b"a", "p/q.jpg/c.jpg": b"c"})
    assert names(inputs("p/*.jpg")) == ["p/a.jpg", "p/b.jpg"]
    assert names(inputs("p/**/*.jpg")) == ["p/a.jpg", "p/b.jpg", "p/q.jpg/c.jpg"]
    assert inputs("p/**/*.jpg").count() == 3


def test_file_whose_name_looks_like_a_pattern_is_that_file() -> None:
    write({"[a].jpg": b"brackets", "a.jpg": b"a"})
    assert read(inputs("[a].jpg")) == [("[a].jpg", b"brackets")]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        pytest.param("gone.jpg", "There is no file or folder of this name.", id="missing file"),
        pytest.param("*.jpg", "No file matches this pattern.", id="pattern without a match"),
        pytest.param("large.jpg", "The photo has more than 1,000 bytes. Raise MAX_BODY_BYTES", id="large"),
        pytest.param("pipe", "This is neither a file nor a folder.", id="pipe"),
        pytest.param("empty.tar", "The archive cannot be read any further (no tar archive", id="no tar"),
        pytest.param("empty.zip", "The archive cannot be read any further (File is not a zip file).", id="no zip"),
    ],
)
def test_what_cannot_be_read_fails_in_its_turn(path: str, sentence: str) -> None:
    write({"first.png": b"1", "last.png": b"2", "empty.zip": b"", "empty.tar": b"no"})
    if path.startswith("large"):
        write({path: bytes(LIMIT + 1)})
    os.mkfifo("pipe")
    (_, first), (name, said), (_, last) = read(inputs("first.png", path, "last.png"))
    assert (first, name, last) == (b"1", path, b"2")
    assert str(said).startswith(sentence)
    assert inputs("first.png", path, "last.png").count() == (None if path == "empty.tar" else 3)


def test_file_that_goes_before_its_turn_fails() -> None:
    write({"p/a.jpg": b"a"})
    (photo,) = inputs("p").photos()
    Path("p/a.jpg").unlink()
    assert content(photo) == "The file cannot be read: No such file or directory."


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(b"\xef\xbb\xbfa.jpg\r\nb.jpg\r\n", id="of Windows"),
        pytest.param(b"a.jpg\rb.jpg\r", id="of an old Mac"),
        pytest.param(b"a.jpg\n\nb.jpg", id="without a last line end"),
    ],
)
def test_a_list_may_come_from_any_system(listed: bytes, here: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (here / name).write_bytes(b"x")
    assert [photo.name for photo in inputs("-", listed=listed).photos()] == ["a.jpg", "b.jpg"]


def test_list_names_files_folders_and_archives_but_no_patterns() -> None:
    write({"a.jpg": b"a", "p/b.jpg": b"b"})
    write_zip("z.zip", {"c.jpg": b"c"})
    found = inputs("-", listed=b"a.jpg\r\np\n\nz.zip\n*.jpg")
    assert read(found) == [
        ("a.jpg", b"a"),
        ("p/b.jpg", b"b"),
        ("z.zip/c.jpg", b"c"),
        ("*.jpg", "There is no file or folder of this name."),
    ]
    assert inputs("-").count() is None


def test_name_that_is_no_utf8_is_read_and_shown() -> None:
    write({os.fsdecode(b"caf\xe9.jpg"): b"x"})
    assert read(inputs(".")) == [("caf\N{REPLACEMENT CHARACTER}.jpg", b"x")]


@pytest.mark.parametrize(("name", "writer"), WRITERS, ids=[name for name, _ in WRITERS])
def test_members_of_an_archive_come_in_its_order_and_never_become_files(
    name: str, writer: Callable[[str, Files], None], here: Path
) -> None:
    writer(
        name,
        {
            "z/b.jpg": b"b",
            "../../escape.jpg": b"up",
            "a.png": b"a",
            "__MACOSX/._a.png": b"no",
            "notes.txt": b"no",
            "large.jpg": bytes(LIMIT + 1),
        },
    )
    before = sorted(here.rglob("*"))
    assert read(inputs(name)) == [
        (f"{name}/z/b.jpg", b"b"),
        (f"{name}/../../escape.jpg", b"up"),
        (f"{name}/a.png", b"a"),
        (f"{name}/large.jpg", "The photo has more than 1,000 bytes. Raise MAX_BODY_BYTES to have it accepted."),
    ]
    assert sorted(here.rglob("*")) == before
    assert inputs(name).count() == (4 if name.endswith("zip") else None)


def test_member_of_a_zip_that_is_damaged_fails_alone() -> None:
    write_zip("p.zip", {"a.jpg": b"a" * 500, "b.jpg": b"b"})
    data = bytearray(Path("p.zip").read_bytes())
    data[data.index(b"a.jpg") + 6] ^= 0xFF
    Path("p.zip").write_bytes(data)
    (_, damaged), (_, whole) = read(inputs("p.zip"))
    assert str(damaged).startswith("This member of the archive cannot be read: ")
    assert whole == b"b"


def test_zip_that_unpacks_to_more_than_it_says_is_cut_at_the_limit() -> None:
    write_zip("bomb.zip", {"a.jpg": bytes(10_000_000)})
    with zipfile.ZipFile("bomb.zip") as opened, mock.patch.object(zipfile.ZipExtFile, "read", autospec=True) as reading:
        reading.return_value = b""
        archives._read_zip(opened, opened.infolist()[0], LIMIT)
    assert reading.call_args.args[1] == LIMIT + 1


def test_links_in_a_tar_are_passed_over() -> None:
    Path("secret.jpg").write_bytes(b"secret")
    with tarfile.open("p.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"link{kind.decode()}.jpg")
            link.type, link.linkname = kind, "secret.jpg"
            archive.addfile(link)
    assert read(inputs("p.tar")) == []


def test_damaged_header_in_the_middle_of_a_tar_is_not_taken_for_its_end() -> None:
    write_tar("p.tar", {"a.jpg": b"a", "b.jpg": b"b"})
    data = bytearray(Path("p.tar").read_bytes())
    data[1024 + 150] ^= 0xFF
    Path("p.tar").write_bytes(data)
    (_, first), (name, said) = read(inputs("p.tar"))
    assert (first, name) == (b"a", "p.tar")
    assert "cannot be read any further (a damaged header)" in str(said)


@pytest.mark.parametrize("kept", [0.5, 0.9], ids=["half", "most"])
def test_tar_that_ends_early_gives_what_is_whole_and_fails(kept: float) -> None:
    noise = [random.Random(number).randbytes(900) for number in range(200)]
    write_tar("p.tar.gz", {f"{number}.jpg": data for number, data in enumerate(noise)})
    data = Path("p.tar.gz").read_bytes()
    Path("p.tar.gz").write_bytes(data[: int(len(data) * kept)])
    found = read(inputs("p.tar.gz", "gone.jpg"))
    assert found[0] == ("p.tar.gz/0.jpg", noise[0])
    assert found[-2][0] == "p.tar.gz"
    assert "cannot be read any further" in str(found[-2][1])
    assert found[-1][0] == "gone.jpg"


def test_header_that_would_fill_the_memory_ends_the_archive() -> None:
    first, header = tarfile.TarInfo("a.jpg"), tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    Path("p.tar.gz").write_bytes(gzip.compress(first.tobuf() + header.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    (_, empty), (_, said) = read(inputs("p.tar.gz"))
    assert empty == b""
    assert "a header of 1,099,511,627,776 bytes" in str(said)


def test_tar_of_many_members_keeps_no_headers() -> None:
    write_tar("p.tar", {f"{number}.jpg": b"" for number in range(50)})
    with mock.patch.object(archives, "_read_tar", side_effect=lambda opened, *_: b"x" * len(opened.members)):
        kept = [len(photo.read()) for photo in inputs("p.tar").photos()]
    assert len(kept) == 50
    assert max(kept) <= 1


def test_zip_with_a_member_without_a_name_ends_there() -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.jpg", b"1")
        archive.writestr("x", b"2")
        archive.infolist()[1].filename = ""
    found = read(inputs("a.zip"))
    assert found[0] == ("a.zip/a.jpg", b"1")
    assert "cannot be read any further" in str(found[1][1])
