"""Readers that do not read are cut off, and hold little memory; floods of pictures are shared."""

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from detection.photos.picture_cache import PictureCache
from tests.support import photos
from tests.support.hostile import ATTACKER, OTHER, connected, resident_mb, until
from tests.support.serving import Server, running_server

JPEG = {"Content-Type": "image/jpeg"}
TIMEOUT_S = 2.0
READERS, FLOOD = 20, 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("readers")), "UPLOAD_TIMEOUT": str(TIMEOUT_S)}
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def large(server: Server) -> str:
    """The address of a detection with a file of 12 MB."""
    data = photos.encode(Image.frombytes("RGB", (2000, 2000), os.urandom(12_000_000)), "PNG")
    return kept(server, data, "image/png")


@pytest.fixture(scope="module")
def small(server: Server, chelsea: bytes) -> str:
    return kept(server, chelsea, "image/jpeg")


@pytest.fixture(scope="module")
def larger(server: Server) -> str:
    """The address of a detection whose pictures are too large to be kept: each one is drawn."""
    noise = Image.effect_noise((4000, 3000), 60).convert("RGB")
    return kept(server, photos.encode(noise, "PNG", compress_level=1), "image/png")


def kept(server: Server, data: bytes, content_type: str) -> str:
    answer = httpx.post(f"{server.url}/predict", content=data, headers={"Content-Type": content_type}, timeout=60)
    assert answer.status_code == 200, answer.text
    return f"/api/detections/{answer.headers['X-Detection-Id']}"


def test_readers_of_nothing_are_cut_off_and_hold_little(server: Server, large: str) -> None:
    before_mb = resident_mb(server)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(connected(server, ATTACKER, receive_bytes=4096)) for _ in range(READERS)]
        for reader in readers:
            reader.sendall(f"GET {large}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        time.sleep(0.5)
        assert resident_mb(server) - before_mb < 100
        started = time.monotonic()
        assert until(lambda: not open_connections(server, ATTACKER))
        assert time.monotonic() - started < 4 * TIMEOUT_S + 10


def open_connections(server: Server, source: str) -> int:
    """Count the connections from an address that the server's process still has."""
    address = "".join(reversed([f"{int(part):02X}" for part in source.split(".")]))
    lines = Path(f"/proc/{server.process.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    port = f":{int(server.url.rpartition(':')[2]):04X}"
    established = "01"
    return sum(
        fields[1].endswith(port) and fields[2].startswith(address) and fields[3] == established
        for fields in map(str.split, lines)
    )


def test_patient_reader_of_a_large_photo_gets_all_of_it(server: Server, large: str) -> None:
    """Longer than the deadline, but not slowly."""
    with connected(server, OTHER, receive_bytes=65_536) as opened:
        opened.sendall(f"GET {large}/photo HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        received, started = 0, time.monotonic()
        while piece := opened.recv(65_536):
            received += len(piece)
            if time.monotonic() - started < 1.5 * TIMEOUT_S:
                time.sleep(0.05)
    assert received > 12_000_000
    head = httpx.head(f"{server.url}{large}/photo")
    assert received - int(head.headers["Content-Length"]) < 2000


def test_large_photo_arrives_unchanged(server: Server, large: str) -> None:
    answer = httpx.get(f"{server.url}{large}/photo")
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["Content-Length"])
    assert answer.content.startswith(b"\x89PNG")
    assert answer.content.endswith(b"IEND\xaeB`\x82")


def test_small_thumbnail_does_not_wait_for_a_flood_of_large_pictures(server: Server, larger: str, small: str) -> None:
    """Counted in pictures of the flood, not in seconds: how long each takes is the machine's."""
    with ThreadPoolExecutor(FLOOD) as pool:
        flood = [pool.submit(picture, server, f"{larger}/annotated", ATTACKER) for _ in range(FLOOD)]
        assert until(lambda: any(answer.done() for answer in flood))
        assert picture(server, f"{small}/thumbnail", OTHER) == 200
        assert picture(server, f"{small}/annotated", OTHER) == 200
        drawn_before = sum(answer.done() for answer in flood)
        assert {answer.result() for answer in flood} <= {200, 503}
    assert drawn_before < FLOOD / 2, drawn_before


def picture(server: Server, path: str, source: str) -> int:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=240) as client:
        return client.get(server.url + path).status_code


def test_hundred_photos_of_one_caller_do_not_refuse_those_of_another(server: Server, chelsea: bytes) -> None:
    def post(source: str) -> int:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=60) as client:
            return client.post(f"{server.url}/predict?store=0", content=chelsea, headers=JPEG).status_code

    with ThreadPoolExecutor(100) as pool:
        many = [pool.submit(post, ATTACKER) for _ in range(200)]
        others = [post(OTHER) for _ in range(10)]
        assert {answer.result() for answer in many} <= {200, 503}
    assert others == [200] * 10


def test_pictures_that_are_kept_are_bounded_in_bytes() -> None:
    cache = PictureCache(most_bytes=100, most_picture_bytes=60)
    cache.put("large", b"x" * 61)
    cache.put(None, b"x")
    assert cache.held_bytes == 0
    for key in "abc":
        cache.put(key, b"x" * 40)
        cache.get("a")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"x" * 40, None, b"x" * 40)
    cache.put("a", b"y")
    assert (cache.get("a"), cache.held_bytes) == (b"y", 41)
