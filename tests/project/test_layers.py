"""Imports go one way: entrances -> services -> inference, and services -> models; never back."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.conf import BASE_DIR

# Where requests and commands come in. Nothing that is asked by them may ask them.
ENTRANCES = (
    "detection.admin",
    "detection.predict.api",
    "detection.api_",
    "detection.predict.consumers",
    "detection.web.error_pages",
    "detection.serving.health",
    "detector_site.lifespan",
    "detection.predict.live",
    "detection.management",
    "detection.predict.fast_path",
    "detection.urls",
    "detection.history.views",
    "detection.asgi.websocket_origin",
)
FRAMEWORKS = ("django", "rest_framework", "channels", "asgiref", "detector_site")


def modules() -> dict[str, Path]:
    """All modules of the app but its migrations, by name."""
    found = {}
    for path in sorted((BASE_DIR / "detection").rglob("*.py")):
        parts = path.relative_to(BASE_DIR).with_suffix("").parts
        if "migrations" not in parts:
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The full names of what a module imports, within functions too, but not for type checking only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else str(node.module)


KNOWN = modules()
GRAPH = {name: set(imports(path, KNOWN)) for name, path in KNOWN.items()}


WIRING = ("detection", "detection.apps")


def is_in(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of `prefixes` or below; a prefix that ends in _ stands for all that begin so."""
    return any(
        name == prefix or name.startswith(prefix if prefix.endswith("_") else f"{prefix}.") for prefix in prefixes
    )


def breaches(importers: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{name} imports {imported}"
        for name, all_imported in GRAPH.items()
        if is_in(name, importers)
        for imported in sorted(all_imported)
        if is_in(imported, forbidden)
    ]


def test_graph_is_the_real_one() -> None:
    assert "detection.inference.detector" in GRAPH["detection.predict.service"]
    assert "detection.predict.service" in GRAPH["detection.predict.api"]
    assert "django.db" in GRAPH["detection.history.deletion"]
    assert breaches(("detection.predict.api",), ("detection.predict.service",)) == [
        "detection.predict.api imports detection.predict.service"
    ]


def test_inference_imports_no_framework_and_nothing_of_the_app() -> None:
    assert breaches(("detection.inference",), FRAMEWORKS) == []
    outside = tuple(name for name in KNOWN if not is_in(name, ("detection.inference",)) and name != "detection")
    assert breaches(("detection.inference",), outside) == []


def test_nothing_imports_an_entrance_but_entrances() -> None:
    # detection.apps is wiring: it imports what registers itself.
    inner = tuple(name for name in KNOWN if not is_in(name, ENTRANCES) and name not in WIRING)
    assert [breach for breach in breaches(inner, ENTRANCES) if breach.split()[0] in inner] == []


@pytest.mark.parametrize(
    ("importer", "allowed"),
    [
        ("detection.conf", ("detection.conf",)),
        ("detection.photos.metadata", ()),
        ("detection.photos.filesystem", ()),
        ("detection.models.detections", ("detection.inference.types",)),
        ("detection.inference.mxnet", ("detection.inference.errors", "detection.inference.mxnet")),
    ],
)
def test_module_knows_only_what_it_builds_on(importer: str, allowed: tuple[str, ...]) -> None:
    assert [breach for breach in breaches((importer,), ("detection",)) if not is_in(breach.split()[-1], allowed)] == []


def test_engines_import_their_runtime_only_when_they_are_chosen() -> None:
    assert breaches(("detection.inference.engines.registry",), ("openvino", "onnxruntime", "mxnet")) == []


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
