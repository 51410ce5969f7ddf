"""Downloads against a real web server that behaves, breaks off, stalls, lies or is not there."""

import hashlib
import socket
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from detection.registry.downloads import (
    DownloadError,
    FolderSource,
    HttpSource,
    KnownFile,
    fetch_file,
    is_intact,
    left_bytes,
    require_space,
    source_from,
)
from detection.registry.known_models import KnownModel
from detection.registry.pretrained import install
from tests.support.file_server import file_server

CONTENT = bytes(range(256)) * 4000
FILE = KnownFile("net-0000.params", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
FILES = {FILE.name: CONTENT}


def fetch(source: HttpSource | FolderSource, folder: Path) -> list[int]:
    """Fetch FILE and answer with what was told of the progress."""
    told: list[int] = []
    fetch_file(FILE, source, folder, told.append)
    return told


def assert_only(folder: Path, name: str, content: bytes) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: content}


def test_a_file_arrives_whole_and_tells_its_progress(tmp_path: Path) -> None:
    with file_server(FILES) as server:
        told = fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, FILE.size_bytes)
    assert server.seen_ranges == [None]


def test_a_broken_connection_is_taken_up_again_where_it_broke(tmp_path: Path) -> None:
    with file_server(FILES, cut_after=[1000, 500]) as server:
        fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)
    assert server.seen_ranges == [None, "bytes=1000-", "bytes=1500-"]


def test_a_download_that_keeps_breaking_goes_on_in_the_next_run(tmp_path: Path) -> None:
    with file_server(FILES, cut_after=[1000, 0]) as server:
        with pytest.raises(DownloadError, match=r"broke after 1,000 of the 1,024,000 bytes .* goes on from there"):
            fetch(HttpSource(server.url), tmp_path)
        assert_only(tmp_path, f"{FILE.name}.part", CONTENT[:1000])
        fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)
    assert server.seen_ranges[-1] == "bytes=1000-"


def test_tries_end_although_each_brings_a_little(tmp_path: Path) -> None:
    with (
        file_server(FILES, cut_after=[10] * 9) as server,
        pytest.raises(DownloadError, match="broke after 40 of the 1,024,000 bytes"),
    ):
        fetch(HttpSource(server.url), tmp_path)
    assert len(server.seen_ranges) == 4


def test_a_server_that_falls_silent_is_left_after_the_timeout(tmp_path: Path) -> None:
    with (
        file_server(FILES, stall_after=700) as server,
        pytest.raises(DownloadError, match=r"broke after .* bytes of net-0000.params \(timed out\)"),
    ):
        fetch(HttpSource(server.url, timeout_s=0.2), tmp_path)
    assert_only(tmp_path, f"{FILE.name}.part", CONTENT[: 700 * len(server.seen_ranges)])


def test_a_server_without_ranges_is_read_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT[:1000])
    with file_server(FILES, ranges=False) as server:
        told = fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)
    assert server.seen_ranges == ["bytes=1000-"]
    assert told[0] == 0


def test_a_part_that_is_already_whole_is_verified_without_a_request(tmp_path: Path) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT)
    with file_server(FILES) as server:
        fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)
    assert server.seen_ranges == []


@pytest.mark.parametrize(
    ("part", "served", "tell_length", "sentence"),
    [
        pytest.param(b"", CONTENT[:-1] + b"!", True, "its SHA-256 differs", id="other bytes"),
        pytest.param(b"", CONTENT + b"!", True, "it has 1024001 bytes", id="longer by its header"),
        pytest.param(b"", b"<html>", True, "it has 6 bytes", id="a login page"),
        pytest.param(b"", CONTENT + b"!", False, "it is longer", id="longer without a header"),
        pytest.param(b"?" * 100, CONTENT, True, "its SHA-256 differs", id="a bad part"),
        pytest.param(b"?" * 1_024_001, CONTENT, True, "it is longer", id="a part that is too long"),
    ],
)
def test_wrong_bytes_are_removed(tmp_path: Path, part: bytes, served: bytes, tell_length: bool, sentence: str) -> None:
    if part:
        (tmp_path / f"{FILE.name}.part").write_bytes(part)
    with (
        file_server({FILE.name: served}, tell_length=tell_length) as server,
        pytest.raises(DownloadError, match=rf"not the published one .*{sentence}\. .* --from DIR-OR-URL"),
    ):
        fetch(HttpSource(server.url), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content_range",
    [
        pytest.param("bytes 0-1023999/1024000", id="another start"),
        pytest.param("bytes 1000-2000/2001", id="a file of another size"),
        pytest.param("", id="empty"),
        pytest.param("lines 1-2/3", id="another unit"),
    ],
)
def test_a_range_of_another_file_is_refused_and_the_part_kept(tmp_path: Path, content_range: str) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT[:1000])
    with (
        file_server(FILES, content_range=content_range) as server,
        pytest.raises(DownloadError, match="Content-Range does not fit"),
    ):
        fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, f"{FILE.name}.part", CONTENT[:1000])


@pytest.mark.parametrize(
    ("status", "words"), [(403, "403 Forbidden"), (404, "404 Not Found"), (503, "503 Service Unavailable")]
)
def test_an_error_status_is_said_with_what_to_do(tmp_path: Path, status: int, words: str) -> None:
    with (
        file_server(FILES, status=status) as server,
        pytest.raises(DownloadError, match=rf"/net-0000.params answered {words}\. .* --from DIR-OR-URL"),
    ):
        fetch(HttpSource(server.url + "/"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_is_followed_over_http(tmp_path: Path) -> None:
    with file_server(FILES) as target, file_server(FILES, location=f"{target.url}/{FILE.name}") as server:
        fetch(HttpSource(server.url), tmp_path)
    assert_only(tmp_path, FILE.name, CONTENT)


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/net-0000.params"])
def test_a_redirect_to_another_scheme_is_refused(tmp_path: Path, location: str) -> None:
    with (
        file_server(FILES, location=location) as server,
        pytest.raises(DownloadError, match=r"answered 302|cannot be reached \(unknown url type: ftp\)"),
    ):
        fetch(HttpSource(server.url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_listening_says_how_to_do_without_a_network(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"cannot be reached \(Connection refused\)\. .* give that with --from"):
            fetch(HttpSource(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_url_without_a_host_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"http:/net-0000.params cannot be reached \(no host given\)"):
        fetch(HttpSource("http://"), tmp_path)


@pytest.mark.parametrize("spelling", ["{folder}", "file://{folder}"])
def test_a_folder_is_a_source(tmp_path: Path, spelling: str) -> None:
    mirror, target = tmp_path / "a mirror", tmp_path / "target"
    mirror.mkdir()
    target.mkdir()
    (mirror / FILE.name).write_bytes(CONTENT)
    (target / f"{FILE.name}.part").write_bytes(b"of another source")
    fetch_file(FILE, source_from(spelling.format(folder=mirror)), target, lambda have: None)
    assert_only(target, FILE.name, CONTENT)


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"net-0000.params cannot be read \(No such file .* holds net-0000.params"):
        fetch(FolderSource(tmp_path / "nowhere"), tmp_path)


@pytest.mark.parametrize("text", ["ftp://127.0.0.1/models", "s3://bucket/models", "http://[::1"])
def test_a_source_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(DownloadError, match=r"--from"):
        source_from(text)


@pytest.mark.parametrize(
    ("content", "intact"),
    [
        pytest.param(CONTENT, True, id="the file"),
        pytest.param(CONTENT[:-1], False, id="cut"),
        pytest.param(CONTENT[:-1] + b"!", False, id="changed"),
        pytest.param(None, False, id="absent"),
    ],
)
def test_a_file_is_intact_by_size_and_hash(tmp_path: Path, content: bytes | None, intact: bool) -> None:
    path = tmp_path / FILE.name
    if content is not None:
        path.write_bytes(content)
    assert is_intact(FILE, path) is intact


def test_a_disk_without_room_is_said_with_both_amounts(tmp_path: Path) -> None:
    require_space(tmp_path, 1)
    with pytest.raises(DownloadError, match=r"MB free and needs 1,000,000,000,000 MB\. Make room"):
        require_space(tmp_path, 10**18)


@pytest.mark.parametrize(
    ("had", "left"), [(0, len(CONTENT)), (1000, len(CONTENT) - 1000), (len(CONTENT), 0), (len(CONTENT) + 5, 0)]
)
def test_what_an_earlier_try_has_brought_needs_no_room(had: int, left: int, tmp_path: Path) -> None:
    if had:
        (tmp_path / f"{FILE.name}.part").write_bytes((CONTENT + CONTENT)[:had])
    assert left_bytes(FILE, tmp_path) == left


@pytest.mark.parametrize(("free", "is_enough"), [(len(CONTENT) - 1000, True), (len(CONTENT) - 1001, False)])
def test_download_goes_on_where_the_disk_has_room_for_the_rest(free: int, is_enough: bool, tmp_path: Path) -> None:
    source, models = tmp_path / "source", tmp_path / "models"
    model = KnownModel(
        name="net",
        summary="A network",
        licence="MIT",
        url="",
        files=(FILE,),
        family="mxnet_ssd",
        classes=("cat",),
        input={"edge": 300},
    )
    for folder, name, content in ((source, FILE.name, CONTENT), (models / "net", f"{FILE.name}.part", CONTENT[:1000])):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
    with mock.patch("shutil.disk_usage", return_value=SimpleNamespace(free=free)):
        if is_enough:
            install(model, FolderSource(source), models, lambda _file, _have: None)
            assert (models / "net" / FILE.name).read_bytes() == CONTENT
        else:
            with pytest.raises(DownloadError, match="Make room"):
                install(model, FolderSource(source), models, lambda _file, _have: None)
