"""`manage.py quantize`: an int8 model from photos, or a sentence."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.conf import current
from detection.inference.detector import load_detector
from detection.inference.precision.int8_files import quantized_paths
from detection.management.commands.quantize import find_photos
from detection.serving import service as serving
from tests.support import photos
from tests.support.checkpoints import EMBEDDED_PREFIX, write_tiny_ssd

# The active version is asked for.
pytestmark = pytest.mark.django_db
EDGE = 32


@pytest.fixture
def prefix(tmp_path: Path, limits: Any) -> Path:
    """A small checkpoint that the settings name, in int8."""
    made = write_tiny_ssd(tmp_path / "model")
    limits(model_prefix=made, model_edge=EDGE, model_precision="int8", inference_threads=1)
    return made


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "street"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(["b.jpg", "a.PNG", "more/c.webp", "more/d.jpeg"]):
        photo_format = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2].lower()]
        (folder / name).write_bytes(photos.encode(photos.noise((48, 40), seed), photo_format))
    (folder / "notes.txt").write_text("no photo", encoding="utf-8")
    return folder


def quantize(*arguments: object) -> str:
    output = io.StringIO()
    call_command("quantize", *map(str, arguments), stdout=output)
    return output.getvalue()


def description(prefix: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(quantized_paths(prefix, 0)[1].read_bytes())
    return content


def test_a_folder_of_photos_makes_a_model_that_the_detector_loads(prefix: Path, photo_folder: Path) -> None:
    output = quantize(photo_folder)
    assert "Calibrated on 4 photos" in output
    assert "net-0000-int8.onnx" in output
    assert "manage.py evaluate DATASET --compare f32,int8 --write-table" in output
    detector = load_detector(serving.detector_options(current.config()))
    found = detector.detect((photo_folder / "b.jpg").read_bytes())
    detector.close()
    assert (detector.engine.precision, detector.network.sha256) == ("int8", description(prefix)["sha256"])
    assert found.info.size_wh == (48, 40)


def test_files_a_limit_and_their_source_are_noted(prefix: Path, photo_folder: Path) -> None:
    quantize(photo_folder / "b.jpg", photo_folder, "--limit", 2, "--source", "a street in Graz")
    noted = description(prefix)
    assert (noted["calibration_photos"], noted["calibration_source"]) == (2, "a street in Graz")
    quantize(photo_folder, "--limit", 3)
    assert description(prefix)["calibration_source"] == "street"


def test_photos_are_found_in_a_fixed_order_and_other_files_are_not(photo_folder: Path) -> None:
    found = [path.relative_to(photo_folder).as_posix() for path in find_photos([photo_folder])]
    assert found == ["a.PNG", "b.jpg", "more/c.webp", "more/d.jpeg"]


def test_a_damaged_photo_is_named_and_nothing_is_written(prefix: Path, photo_folder: Path) -> None:
    (photo_folder / "more" / "c.webp").write_bytes(b"no photo")
    with pytest.raises(CommandError, match=r"c\.webp: The photo cannot be read"):
        quantize(photo_folder)
    assert not quantized_paths(prefix, 0)[0].exists()


def test_a_folder_without_photos_is_said(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="There is no photo to calibrate with"):
        quantize(tmp_path / "empty")
    assert not quantized_paths(prefix, 0)[0].exists()


def test_a_folder_that_is_not_there_is_said(prefix: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="absent is neither a file nor a folder"):
        quantize(tmp_path / "absent")
    assert not quantized_paths(prefix, 0)[0].exists()


def test_the_embedded_model_ships_with_an_int8_model_that_finds_the_cat(limits: Any, chelsea: bytes) -> None:
    detector = load_detector(serving.detector_options(limits(model_precision="int8")))
    best = detector.detect(chelsea).objects[0]
    detector.close()
    assert (best.class_name, best.probability > 0.99) == ("cat", True)
    assert quantized_paths(EMBEDDED_PREFIX, 0)[0].stat().st_size < 7_000_000
