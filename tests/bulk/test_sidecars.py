"""`manage.py detect --sidecars`: beside each photo, where its objects are, in the way that the photo is stored."""

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image

from detection.bulk.files import BadPhotoError
from detection.bulk.sidecars import sidecar_of, stored_region, write_sidecar
from detection.inference.types import FoundObject, PixelBox
from detection.photos.xmp_reader import KEYWORDS, read_sidecar
from detection.predict import service as predict_service
from tests.support import photos

pytestmark = pytest.mark.django_db
BOX = PixelBox(30, 10, 20, 40)
OBJECTS = [FoundObject(0, "cat", 0.9, BOX, (0.0, 0.0, 1.0, 1.0))]


@pytest.fixture
def one_model(model: None) -> Iterator[None]:
    with mock.patch.object(predict_service, "stop"):
        yield


def detect(*arguments: Any) -> int:
    try:
        call_command("detect", *map(str, arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_region_is_where_the_object_is_stored(orientation: int) -> None:
    """Of a photo with one white rectangle, stored in each orientation, the region holds exactly the white."""
    upright = Image.new("L", (120, 80))
    upright.paste(255, (BOX.x, BOX.y, BOX.x + BOX.width, BOX.y + BOX.height))
    data = photos.with_orientation(upright.convert("RGB"), orientation, "PNG")
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("L")) > 128
    height, width = stored.shape
    region = stored_region("cat", BOX, (120, 80), orientation)
    left, top = (region.x - region.width / 2) * width, (region.y - region.height / 2) * height
    expected = np.zeros_like(stored)
    expected[round(top) : round(top + region.height * height), round(left) : round(left + region.width * width)] = True
    assert np.array_equal(stored, expected)


def test_sidecar_that_a_photo_has_is_the_one(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    assert sidecar_of(photo) == tmp_path / "a.jpg.xmp"
    (tmp_path / "a.xmp").touch()
    assert sidecar_of(photo) == tmp_path / "a.xmp"
    (tmp_path / "a.jpg.xmp").touch()
    assert sidecar_of(photo) == tmp_path / "a.jpg.xmp"


def test_sidecar_is_written_once_and_keeps_its_rights(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    assert write_sidecar(photo, OBJECTS, (120, 80), 1, with_regions=True)
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.chmod(0o604)
    first = sidecar.read_bytes()
    assert not write_sidecar(photo, OBJECTS, (120, 80), 1, with_regions=True)
    dog = [FoundObject(1, "dog", 0.8, BOX, (0.0, 0.0, 1.0, 1.0))]
    assert write_sidecar(photo, dog, (120, 80), 1, with_regions=False)
    found = read_sidecar(sidecar.read_bytes())
    assert found.lists[KEYWORDS[0].key].texts == ["cat", "dog"]
    assert len(found.regions) == 1
    assert sidecar.stat().st_mode & 0o777 == 0o604
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg.xmp"]
    assert first != sidecar.read_bytes()


def test_damaged_sidecar_stays_as_it_is(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(b"<x:xmpmeta")
    with pytest.raises(BadPhotoError, match=r"The sidecar a\.jpg\.xmp cannot be merged\. It is no XML"):
        write_sidecar(tmp_path / "a.jpg", OBJECTS, (120, 80), 1, with_regions=True)
    assert sidecar.read_bytes() == b"<x:xmpmeta"


def test_command_writes_sidecars_that_exiftool_reads(
    one_model: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chelsea: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").write_bytes(chelsea)
    (tmp_path / "nothing.jpg").write_bytes(photos.encode(photos.noise((64, 64), 1)))
    (tmp_path / "damaged.jpg").write_bytes(chelsea)
    (tmp_path / "damaged.jpg.xmp").write_bytes(b"no sidecar")
    assert detect("cat.jpg", "nothing.jpg", "damaged.jpg", "--sidecars", "--output", "o.jsonl") == 3
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line.get("error", "")[:40] for line in lines] == ["", "", "The sidecar damaged.jpg.xmp cannot be me"]
    assert sorted(path.name for path in tmp_path.glob("*.xmp")) == ["cat.jpg.xmp", "damaged.jpg.xmp"]
    tool = shutil.which("exiftool")
    if tool is None:
        pytest.skip("needs exiftool (Debian's libimage-exiftool-perl)")
    command = [tool, "-json", "-struct", "-XMP:all", "cat.jpg.xmp"]
    (read,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [read[name] for name in ("Subject", "TagsList", "HierarchicalSubject")] == [["cat"]] * 3
    assert read["RegionInfo"]["AppliedToDimensions"] == {"W": 451, "H": 300, "Unit": "pixel"}
    (region,) = read["RegionInfo"]["RegionList"]
    (best,) = lines[0]["prediction"]
    assert region["Name"] == "cat"
    assert region["Area"]["X"] == pytest.approx((best["x"] + best["width"] / 2) / 451, abs=1e-5)
    assert region["Area"]["H"] == pytest.approx(best["height"] / 300, abs=1e-5)
