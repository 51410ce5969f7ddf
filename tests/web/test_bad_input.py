"""Whatever is sent: a status, a sentence that says what to do, and nothing half-kept; against a real server."""

import io
import json
import socket
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
import numpy as np
import pytest
from PIL import Image

from detection.inference.photos import formats
from tests.support import photos
from tests.support.serving import Server, running_server

MAX_BODY_BYTES = 1_000_000
UNREADABLE = formats.UNREADABLE
EMPTY = formats.EMPTY
TOO_LARGE = "The body is too large: at most 1,000,000 bytes are accepted. Send a smaller photo."
NOT_FOUND = "There is nothing under this address: it was deleted, or the id is wrong."
BAD_FORM = "The form cannot be read. Send one photo in its file field `image`, or the photo itself as the body."
NO_FILE = "The form has no file in its field `image`. Put the photo there."
UNKNOWN = UUID(int=7)

Send = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("bad")), "MAX_BODY_BYTES": str(MAX_BODY_BYTES)}
    with running_server(settings) as running:
        yield running


@pytest.fixture
def kept(server: Server) -> Callable[[], tuple[int, ...]]:
    """How many rows each table and how many files the photo store has, as a function."""
    return lambda: kept_by(server)


def kept_by(server: Server) -> tuple[int, ...]:
    with closing(sqlite3.connect(server.data_dir / "detector.sqlite3")) as database:
        tables = ("photo", "detection", "detectedobject")
        rows = [database.execute(f"SELECT count(*) FROM detection_{table}").fetchone()[0] for table in tables]
    return (*rows, sum(path.is_file() for path in (server.data_dir / "photos").rglob("*")))


def send_body(server: Server, data: bytes, query: str = "", name: str = "", kind: str = "image/jpeg") -> httpx.Response:
    """The photo as the body: the fast way."""
    headers = {"Content-Type": kind, **({"X-File-Name": name} if name else {})}
    return httpx.post(f"{server.url}/predict{query}", content=data, headers=headers, timeout=60)


def send_form(server: Server, data: bytes, query: str = "", name: str = "photo.jpg") -> httpx.Response:
    """The photo in a form: Django's way."""
    return httpx.post(f"{server.url}/api/predict{query}", files={"image": (name, data)}, timeout=60)


@pytest.fixture(params=[send_body, send_form], ids=["body", "form"])
def send(request: pytest.FixtureRequest) -> Send:
    way: Send = request.param
    return way


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says so in its header, with a row of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def assert_refused(response: httpx.Response, status: int, sentence: str) -> None:
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json")
    assert response.json() == {"error": sentence}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"", EMPTY, id="empty"),
        pytest.param(b"This is not a photo.\n", UNREADABLE, id="text named jpg"),
        pytest.param(photos.real_photo("chelsea")[:20_000], UNREADABLE, id="truncated JPEG"),
        pytest.param(photos.real_photo("chelsea", "PNG")[:20_000], UNREADABLE, id="truncated PNG"),
        pytest.param(photos.real_photo("chelsea", "WEBP")[:9_000], UNREADABLE, id="truncated WebP"),
        pytest.param(photos.real_photo("chelsea")[:100], UNREADABLE, id="JPEG header only"),
        pytest.param(
            b'<svg xmlns="http://www.w3.org/2000/svg"/>', "This is an SVG. Save it as a PNG, and send that.", id="SVG"
        ),
        pytest.param(b"%PDF-1.7", "This is a PDF. Send its pages as JPEG or PNG files.", id="PDF"),
        pytest.param(png_of_size(0, 0), UNREADABLE, id="zero size"),
        pytest.param(
            photos.encode(photos.noise((100, 1))),
            "The photo is 100 x 1 pixels; send one with at least 8 pixels on each side.",
            id="one pixel high",
        ),
        pytest.param(
            photos.encode(photos.noise((7, 200)), "PNG"),
            "The photo is 7 x 200 pixels; send one with at least 8 pixels on each side.",
            id="seven pixels wide",
        ),
        pytest.param(
            photos.png_bomb((30_000, 30_000)),
            "The photo has 30000 x 30000 pixels; at most 60,000,000 pixels are accepted. Send a smaller one.",
            id="bomb",
        ),
        pytest.param(
            png_of_size(2**31 - 1, 2**31 - 1),
            "The photo has 2147483647 x 2147483647 pixels; at most 60,000,000 pixels are accepted. Send a smaller one.",
            id="largest header",
        ),
    ],
)
def test_what_is_no_usable_photo_is_refused(data: bytes, sentence: str, server: Server, send: Send, kept: Any) -> None:
    before = kept()
    assert_refused(send(server, data), 413 if "at most" in sentence else 400, sentence)
    assert kept() == before


OTHER_TYPES = [
    "text/plain",
    "application/json",
    "application/octet-stream",
    "video/mp4",
    "image/*",
    "",
    "application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_other_type_and_no_photo_is_refused_with_the_sentence_of_2019(kind: str, server: Server, kept: Any) -> None:
    before = kept()
    assert_refused(send_body(server, b"a=b&c=d", kind=kind), 400, "Invalid content")
    assert kept() == before


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_a_photo_of_another_type_is_known_by_its_bytes(kind: str, server: Server, chelsea: bytes) -> None:
    response = send_body(server, chelsea, "?store=0", kind=kind)
    assert (response.status_code, list(response.json())) == (200, ["prediction"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"files": {"photo": b"x"}}, NO_FILE, id="another field"),
        pytest.param({"files": {"other": b""}, "data": {"image": "text"}}, NO_FILE, id="text in the field"),
        pytest.param({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, BAD_FORM, id="no boundary"),
        pytest.param(
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, NO_FILE, id="no parts"
        ),
        pytest.param({"files": [("image", b"x")] * 11}, BAD_FORM, id="too many files"),
        pytest.param({"files": {"a": b""}, "data": {str(n): "" for n in range(1001)}}, BAD_FORM, id="too many fields"),
    ],
)
def test_form_that_cannot_be_read_is_refused(options: Any, sentence: str, server: Server, kept: Any) -> None:
    before = kept()
    assert_refused(httpx.post(f"{server.url}/predict", **options), 400, sentence)
    assert kept() == before


@pytest.mark.parametrize("raw", ["abc", "nan", "2", "-1", "", "inf", "0,5", "1e999", "\N{CAT FACE}"])
def test_threshold_that_is_no_number_from_0_to_1_is_refused(
    raw: str, server: Server, send: Send, chelsea: bytes, kept: Any
) -> None:
    before = kept()
    response = send(server, chelsea, f"?threshold={quote(raw)}")
    assert_refused(response, 400, f"threshold is {raw!r}; set it to a number from 0 to 1, or leave it out.")
    assert kept() == before


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?store=no", "store is 'no'; set it to one of 0, false, 1, true, or leave it out."),
        ("?source=admin", "source is 'admin'; set it to one of api, page, websocket, or leave it out."),
    ],
    ids=["store", "source"],
)
def test_wish_that_is_not_understood_is_refused(
    query: str, sentence: str, server: Server, send: Send, kept: Any
) -> None:
    before = kept()
    assert_refused(send(server, photos.real_photo("chelsea"), query), 400, sentence)
    assert kept() == before


@pytest.mark.parametrize("path", ["", "photo", "annotated", "thumbnail"])
@pytest.mark.parametrize("unknown", [str(UNKNOWN), "1", "..%2f..%2fetc%2fpasswd", "none"])
def test_unknown_id_is_told(path: str, unknown: str, server: Server) -> None:
    assert_refused(httpx.get(f"{server.url}/api/detections/{unknown}/{path}"), 404, NOT_FOUND)


def exchange(server: Server, request: bytes, *chunks: bytes) -> tuple[int, Any]:
    """Send bytes, then chunks for as long as there is no answer; the status and the JSON of the answer."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        connection.sendall(request)
        for chunk in chunks:
            connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        head, _, body = _read_answer(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def _read_answer(connection: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(65_536)
        assert part, answer
        answer += part
    return answer


@pytest.mark.parametrize("kind", [b"image/jpeg", b"multipart/form-data; boundary=a", b"text/plain"])
@pytest.mark.parametrize("path", [b"/predict", b"/", b"/api/model", b"/none"])
def test_declared_body_over_the_limit_is_refused_before_any_of_it_is_sent(
    kind: bytes, path: bytes, server: Server, kept: Any
) -> None:
    before = kept()
    request = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %b\r\nContent-Length: 1000001\r\n\r\n" % (
        path,
        kind,
    )
    assert exchange(server, request) == (413, {"error": TOO_LARGE})
    assert kept() == before


@pytest.mark.parametrize("kind", [b"image/jpeg", b"multipart/form-data; boundary=a"])
@pytest.mark.parametrize("path", [b"/predict", b"/"])
def test_chunked_body_is_refused_before_its_end(kind: bytes, path: bytes, server: Server, kept: Any) -> None:
    before = kept()
    request = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % (
        path,
        kind,
    )
    assert exchange(server, request, *([b"x" * 100_000] * 11)) == (413, {"error": TOO_LARGE})
    assert kept() == before


def test_body_of_exactly_the_limit_gets_in(server: Server) -> None:
    assert_refused(send_body(server, b"x" * MAX_BODY_BYTES), 400, UNREADABLE)
    assert_refused(send_body(server, b"x" * (MAX_BODY_BYTES + 1)), 413, TOO_LARGE)


def chelsea_image() -> Image.Image:
    with Image.open(io.BytesIO(photos.real_photo("chelsea", "PNG"))) as image:
        return image.convert("RGB")


def with_alpha() -> Image.Image:
    image = chelsea_image()
    image.putalpha(200)
    return image


def sixteen_bits() -> bytes:
    grey = np.asarray(chelsea_image().convert("L"), dtype=np.uint16)
    return photos.encode(Image.fromarray(grey * 256), "PNG")


@pytest.mark.parametrize(
    ("build", "stored_format"),
    [
        pytest.param(lambda: photos.encode(chelsea_image().convert("CMYK")), "JPEG", id="CMYK"),
        pytest.param(lambda: photos.encode(chelsea_image().convert("L")), "JPEG", id="grey JPEG"),
        pytest.param(lambda: photos.encode(chelsea_image(), progressive=True), "JPEG", id="progressive JPEG"),
        pytest.param(
            lambda: photos.encode(chelsea_image(), "MPO", save_all=True, append_images=[photos.noise((451, 300))]),
            "JPEG",
            id="MPO",
        ),
        pytest.param(lambda: photos.encode(chelsea_image().convert("L"), "PNG"), "PNG", id="grey PNG"),
        pytest.param(lambda: photos.encode(chelsea_image().quantize(256), "PNG"), "PNG", id="palette"),
        pytest.param(
            lambda: photos.encode(chelsea_image().quantize(256), "PNG", transparency=0), "PNG", id="transparent palette"
        ),
        pytest.param(lambda: photos.encode(with_alpha(), "PNG"), "PNG", id="alpha"),
        pytest.param(lambda: photos.encode(with_alpha().convert("LA"), "PNG"), "PNG", id="grey with alpha"),
        pytest.param(sixteen_bits, "PNG", id="16 bits"),
        pytest.param(lambda: photos.encode(with_alpha(), "WEBP"), "WEBP", id="WebP with alpha"),
        pytest.param(
            lambda: photos.animated_webp(chelsea_image(), photos.noise((451, 300))), "JPEG", id="animated WebP"
        ),
        *(
            pytest.param(
                lambda orientation=orientation: photos.with_orientation(chelsea_image(), orientation),
                "JPEG",
                id=f"EXIF orientation {orientation}",
            )
            for orientation in range(1, 9)
        ),
        *(
            pytest.param(
                lambda orientation=orientation: photos.with_orientation(chelsea_image(), orientation, "PNG"),
                "PNG",
                id=f"EXIF orientation {orientation} of a PNG",
            )
            for orientation in (3, 6)
        ),
    ],
)
def test_unusual_photo_is_detected_and_kept(
    build: Callable[[], bytes], stored_format: str, server: Server, send: Send
) -> None:
    response = send(server, build())
    assert response.status_code == 200
    best = response.json()["prediction"][0]
    assert (best["objectClass"], best["probability"] > 0.9) == ("cat", True)
    kept_at = f"{server.url}/api/detections/{response.headers['X-Detection-Id']}/"
    photo = httpx.get(kept_at).json()["photo"]
    assert (photo["format"], photo["width"], photo["height"]) == (stored_format, 451, 300)
    assert httpx.get(f"{kept_at}photo").headers["Content-Type"] == f"image/{stored_format.lower()}"
    with Image.open(io.BytesIO(httpx.get(f"{kept_at}annotated").content)) as picture:
        assert picture.size == (451, 300)
        left, _, right, _ = (best["x"], best["y"], best["x"] + best["width"], best["y"] + best["height"])
        red, green, blue = picture.convert("RGB").getpixel((right - 1, 150))  # type: ignore[misc]
        assert left < right
        assert (red > 200, green < 60, blue < 60) == (True, True, True)


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        pytest.param("../../etc/passwd", "../../etc/passwd", id="path"),
        pytest.param("C:\\photos\\cat.jpg", "C:\\photos\\cat.jpg", id="path of Windows"),
        pytest.param("a\0b.jpg", "a\N{REPLACEMENT CHARACTER}b.jpg", id="NUL"),
        pytest.param("a\r\nSet-Cookie: b", "a" + "\N{REPLACEMENT CHARACTER}" * 2 + "Set-Cookie: b", id="line break"),
        pytest.param("x" * 5000, "x" * 255, id="long"),
        pytest.param("Kätzchen \N{CAT FACE} 猫.jpg", "Kätzchen \N{CAT FACE} 猫.jpg", id="non-ASCII"),
    ],
)
def test_name_in_the_header_is_text_and_never_a_path(name: str, kept_as: str, server: Server, chelsea: bytes) -> None:
    response = send_body(server, chelsea, name=quote(name))
    assert response.status_code == 200
    assert_kept_under_our_name(server, response, kept_as)


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        pytest.param("../../etc/passwd", "passwd", id="path"),
        pytest.param("C:\\\\photos\\\\cat.jpg", "cat.jpg", id="path of Windows"),
        pytest.param("x" * 500, "x" * 255, id="long"),
        pytest.param("Kätzchen \N{CAT FACE} 猫.jpg", "Kätzchen \N{CAT FACE} 猫.jpg", id="non-ASCII"),
        pytest.param("a\tb.jpg", "ab.jpg", id="control character"),
    ],
)
def test_name_in_a_form_is_text_and_never_a_path(name: str, kept_as: str, server: Server, chelsea: bytes) -> None:
    body = (
        b'--a\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\nContent-Type: image/jpeg\r\n\r\n%b'
        b"\r\n--a--\r\n"
    ) % (name.encode(), chelsea)
    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    response = httpx.post(f"{server.url}/predict", content=body, headers=headers)
    assert response.status_code == 200
    assert_kept_under_our_name(server, response, kept_as)


def test_form_with_an_absurdly_long_name_is_refused(server: Server, chelsea: bytes, kept: Any) -> None:
    before = kept()
    assert_refused(send_form(server, chelsea, name="x" * 5000), 400, BAD_FORM)
    assert kept() == before


def assert_kept_under_our_name(server: Server, response: httpx.Response, kept_as: str) -> None:
    kept_at = f"{server.url}/api/detections/{response.headers['X-Detection-Id']}/"
    photo = httpx.get(kept_at).json()["photo"]
    assert photo["original_name"] == kept_as
    shown_as = httpx.get(f"{kept_at}photo").headers["Content-Disposition"]
    assert shown_as.startswith("inline; filename")
    assert shown_as.rstrip('"').endswith(".jpg")
    assert "/" not in shown_as
    sha256 = photo["sha256"]
    assert (server.data_dir / "photos" / sha256[:2] / f"{sha256}.jpg").is_file()


def test_database_that_refuses_within_the_transaction_keeps_no_part_of_it(tmp_path: Path, chelsea: bytes) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        with closing(sqlite3.connect(tmp_path / "detector.sqlite3")) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON detection_detectedobject "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        for send in (send_body, send_form):
            response = send(server, chelsea)
            assert_refused(
                response,
                503,
                "The detection could not be kept: the database cannot be written now. "
                "Nothing was stored; try again later.",
            )
            assert response.headers["Retry-After"] == "1"
            assert kept_by(server) == (0, 0, 0, 0)
        assert send_body(server, chelsea, "?store=0").status_code == 200
        with closing(sqlite3.connect(tmp_path / "detector.sqlite3")) as database:
            database.execute("DROP TRIGGER full")
        assert send_body(server, chelsea).status_code == 200
        assert kept_by(server)[:2] == (1, 1)


def test_photo_store_that_cannot_be_written_keeps_no_row(tmp_path: Path, chelsea: bytes) -> None:
    with running_server({"DATA_DIR": str(tmp_path)}) as server:
        (tmp_path / "photos").write_text("in the way of the folder")
        for send in (send_body, send_form):
            response = send(server, chelsea)
            assert_refused(
                response,
                503,
                "The detection could not be kept: the photo store cannot be written now. "
                "Nothing was stored; try again later.",
            )
            assert response.headers["Retry-After"] == "1"
        assert kept_by(server)[:3] == (0, 0, 0)
        (tmp_path / "photos").unlink()
        assert send_form(server, chelsea).status_code == 200
        assert kept_by(server)[3] == 1
