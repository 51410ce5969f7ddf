"""Every kind of photo at every entrance of a real server, and out again as browsers and training programs take it."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support import photo_files, photos
from tests.support.serving import Server, running_server

SHOWN = {"image/jpeg", "image/png", "image/webp"}


def kinds() -> dict[str, tuple[bytes, str]]:
    with Image.open(io.BytesIO(photos.real_photo("chelsea", "PNG"))) as opened:
        made = photo_files.of_each_kind(opened.convert("RGB"))
    return {**made, "heic": (photo_files.chelsea_heic(), "image/heic")}


KINDS = kinds()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("kinds"))}) as running:
        yield running


def assert_cat(response: httpx.Response) -> None:
    assert response.status_code == 200, response.text
    best = response.json()["prediction"][0]
    assert (best["objectClass"], best["probability"] > 0.7) == ("cat", True)


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("way", ["body", "unnamed body", "form"])
def test_each_kind_is_answered_and_shown(suffix: str, way: str, server: Server) -> None:
    data, media_type = KINDS[suffix]
    address = f"{server.url}/api/predict"
    if way == "form":
        response = httpx.post(address, files={"image": (f"cat.{suffix}", data)}, timeout=60)
    else:
        kind = media_type if way == "body" else "application/octet-stream"
        response = httpx.post(address, content=data, headers={"Content-Type": kind}, timeout=60)
    assert_cat(response)
    assert "X-Photo-Incomplete" not in response.headers
    kept_at = f"{server.url}/api/detections/{response.headers['X-Detection-Id']}"
    shown = httpx.get(f"{kept_at}/photo")
    assert shown.headers["Content-Type"] in SHOWN
    assert (shown.headers["Content-Type"] == media_type) is (media_type in SHOWN)
    for picture in (shown, httpx.get(f"{kept_at}/annotated")):
        with Image.open(io.BytesIO(picture.content)) as image:
            assert image.size == (451, 300)


@pytest.mark.parametrize("suffix", KINDS)
def test_each_kind_goes_through_a_batch_and_an_export(suffix: str, server: Server) -> None:
    data, media_type = KINDS[suffix]
    listed = {"name": suffix, "photos": [{"name": f"cat.{suffix}", "size_bytes": len(data)}]}
    batch = httpx.post(f"{server.url}/api/batches/", json=listed).json()["id"]
    assert_cat(
        httpx.post(
            f"{server.url}/api/batches/{batch}/photos/0", content=data, headers={"Content-Type": media_type}, timeout=60
        )
    )
    exported = httpx.get(
        f"{server.url}/api/export", params={"format": "voc", "photos": "1", "batch": batch}, timeout=60
    )
    assert exported.status_code == 200, exported.text
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("JPEGImages/")]
        with Image.open(archive.open(name)) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=int)
    with Image.open(io.BytesIO(photos.real_photo("chelsea", "PNG"))) as original:
        assert np.abs(pixels - np.asarray(original.convert("RGB"), dtype=int)).mean() < 6


def test_a_cut_off_photo_is_answered_and_said_to_be_cut_off(server: Server) -> None:
    whole = photos.real_photo("chelsea")
    response = httpx.post(
        f"{server.url}/predict", content=whole[: len(whole) * 9 // 10], headers={"Content-Type": "image/jpeg"}
    )
    assert_cat(response)
    share = float(response.headers["X-Photo-Incomplete"])
    assert 0.7 < share < 1
    identity = response.headers["X-Detection-Id"]
    kept = httpx.get(f"{server.url}/api/detections/{identity}/").json()["photo"]
    assert kept["share_read"] == pytest.approx(share, abs=0.006)
    assert "Its file is cut off" in httpx.get(f"{server.url}/detections/{identity}/").text


def test_a_setting_refuses_cut_off_photos(tmp_path: Path) -> None:
    with running_server({"DATA_DIR": str(tmp_path), "ACCEPT_INCOMPLETE": "false"}) as server:
        response = httpx.post(
            f"{server.url}/predict", content=photos.real_photo("chelsea")[:-2], headers={"Content-Type": "image/jpeg"}
        )
    assert response.status_code == 400
    assert response.json() == {"error": "The photo is incomplete: its file is cut off. Send the whole file."}
