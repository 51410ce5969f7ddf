"""Import rules: `lint-imports` (pyproject.toml) is red where one is broken, and `inference` runs without Django."""

import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from detection.conf import BASE_DIR

GRAPH = grimp.build_graph("detection", include_external_packages=True, exclude_type_checking_imports=True)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(BASE_DIR / "pyproject.toml", folder)
    for package in ("detection", "detector_site"):
        ignored = shutil.ignore_patterns("__pycache__", "locale")
        shutil.copytree(BASE_DIR / package, folder / package, ignore=ignored)
    return folder


@pytest.mark.parametrize(
    ("module", "line"),
    [
        pytest.param("history/trash.py", "from detection.predict import service", id="lower to higher"),
        pytest.param("review/queue.py", "from detection.exports import labels", id="sibling"),
        pytest.param("inference/boxes.py", "import django", id="inference to Django"),
        pytest.param("evaluation/scores.py", "import rest_framework", id="evaluation to DRF"),
        pytest.param("predict/service.py", "import rest_framework", id="service to DRF"),
        pytest.param("photos/metadata.py", "from detection import models", id="metadata to tables"),
    ],
)
def test_planted_import_is_refused(copy: Path, module: str, line: str) -> None:
    file = copy / "detection" / module
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{before}\n{line}\n", encoding="utf-8")
        done = lint(copy)
    finally:
        file.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"detection.{module.removesuffix('.py').replace('/', '.')} -> " in done.stdout


def test_rules_hold_for_the_project() -> None:
    done = lint(BASE_DIR)
    assert (done.returncode, "0 broken" in done.stdout) == (0, True), done.stdout + done.stderr


def test_engines_import_their_runtime_only_when_they_are_chosen() -> None:
    imported = GRAPH.find_modules_directly_imported_by("detection.inference.engines.registry")
    assert not imported & {"openvino", "onnxruntime", "mxnet"}
    assert "detection.inference.errors" in imported


WITHOUT_DJANGO = """
import importlib, importlib.abc, pkgutil, sys
from pathlib import Path

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "rest_framework", "channels"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import detection.inference
for module in pkgutil.walk_packages(detection.inference.__path__, "detection.inference."):
    if not module.name.startswith("detection.inference.engines.") or module.name.endswith((".base", ".registry")):
        importlib.import_module(module.name)

from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource

prefix, cache_dir, photo = (Path(argument) for argument in sys.argv[1:])
detector = load_detector(DetectorOptions(ModelSource(prefix), cache_dir, EngineOptions()))
print([found.class_name for found in detector.detect(photo.read_bytes()).objects if found.probability > 0.5])
detector.close()
"""


def test_inference_detects_with_django_absent(tmp_path: Path, chelsea: bytes) -> None:
    photo = tmp_path / "chelsea.jpg"
    photo.write_bytes(chelsea)
    prefix = BASE_DIR / "models" / "mobilenet_ssd_voc" / "mobilenet_ssd_voc"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DJANGO, str(prefix), str(tmp_path / "cache"), str(photo)],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "['cat']\n", "")
