"""Packaging of the service: the Dockerfile, the lists of requirements, the Makefile. Checked without Docker."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from detection import __version__
from detection.conf import BASE_DIR
from detection.oip.api import SERVER

LISTS = sorted(path.name for path in BASE_DIR.glob("requirements*.txt"))
NOT_FOR_TOOLS = {"requirements-docs.txt", "requirements-gpu.txt", "requirements-mxnet.txt", "requirements-ray.txt"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of the Dockerfile, its continued lines joined."""

    name: str
    arguments: str


def dockerfile() -> list[Instruction]:
    text = (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def arguments_of(name: str) -> list[str]:
    return [instruction.arguments for instruction in dockerfile() if instruction.name == name]


def environment_of_image() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(arguments_of("ENV"))))


def copied_sources() -> list[str]:
    return [source for line in arguments_of("COPY") for source in line.split()[:-1]]


def requirements_of(name: str) -> list[str]:
    """The requirements of a list, each with its version, marker and hashes."""
    lines = (line.split("#")[0] for line in (BASE_DIR / name).read_text(encoding="utf-8").splitlines())
    return [line for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines() if line.strip()]


def pins_of(name: str) -> dict[str, str]:
    """The version of each package in a list of requirements; that of its first marker, where it has several."""
    found = re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", "\n".join(requirements_of(name)), re.MULTILINE)
    return dict(reversed(found))


def project() -> Any:
    return tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))


def names_in(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def copy_as_docker_does(folder: Path) -> None:
    for source in copied_sources():
        path = BASE_DIR / source
        if path.is_dir():
            shutil.copytree(path, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / source)


def test_the_image_is_of_the_slim_python_and_ends_as_an_ordinary_user() -> None:
    assert arguments_of("FROM") == ["${BASE}"]
    assert arguments_of("ARG")[0] == "BASE=python:3.12-slim"
    (user,) = arguments_of("USER")
    assert f"useradd --uid {user} " in " ".join(arguments_of("RUN"))
    names = [instruction.name for instruction in dockerfile()]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name == "RUN")


def test_what_the_image_copies_is_there_and_is_sent_to_the_builder() -> None:
    ignored = [line for line in (BASE_DIR / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    sources = copied_sources()
    assert {"requirements.txt", "requirements-gpu.txt", "manage.py", "models"} <= set(sources)
    assert [source for source in sources if not (BASE_DIR / source).exists()] == []
    assert [source for source in sources if any(fnmatch.fnmatch(source, pattern) for pattern in ignored)] == []


@pytest.mark.parametrize("path", [".git", ".venv", ".venv-mxnet", "var", ".env", "staticfiles", "half.part"])
def test_what_is_private_or_large_is_not_sent_to_the_builder(path: str) -> None:
    ignored = (BASE_DIR / ".dockerignore").read_text().splitlines()
    assert any(fnmatch.fnmatch(path, pattern) for pattern in ignored)


def test_the_image_serves_beyond_itself_and_keeps_its_data_in_the_volume() -> None:
    environment = environment_of_image()
    assert environment["DATA_DIR"] == "/data"
    assert arguments_of("VOLUME") == ["/data"]
    assert environment["REST_HOST"] == "0.0.0.0"  # noqa: S104 - the container's own network
    assert arguments_of("EXPOSE") == [environment["REST_PORT"]]
    assert "SECRET_KEY" not in environment
    assert json.loads(arguments_of("CMD")[-1]) == ["python", "manage.py", "serve"]


def test_the_variant_chooses_the_requirements_and_another_stops_the_build(tmp_path: Path) -> None:
    (choose,) = [run for run in arguments_of("RUN") if "VARIANT" in run]
    (tmp_path / "pip").write_text('#!/bin/sh\necho "pip $*"\n')
    (tmp_path / "pip").chmod(0o755)

    def run(variant: str) -> tuple[int, str]:
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "VARIANT": variant}
        ended = subprocess.run(["sh", "-c", choose], env=environment, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    assert run("cpu") == (0, "pip install --require-hashes -r requirements.txt\n")
    assert run("gpu") == (0, "pip install --require-hashes -r requirements-gpu.txt\n")
    assert run("tpu") == (1, "VARIANT is 'tpu': build with VARIANT=cpu or VARIANT=gpu.\n")


def test_the_build_collects_the_static_files_and_makes_no_key(tmp_path: Path) -> None:
    copy_as_docker_does(tmp_path)
    (collect,) = [run for run in arguments_of("RUN") if "collectstatic" in run]
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", collect], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert (tmp_path / "staticfiles" / "admin").is_dir()
    assert (tmp_path / "staticfiles" / "staticfiles.json").is_file()
    pages_of_api = tmp_path / "staticfiles" / "drf_spectacular_sidecar"
    assert list(pages_of_api.rglob("swagger-ui-bundle.*.js.gz"))
    assert list(pages_of_api.rglob("swagger-ui-bundle.*.map"))  # as its last line says; compressed for nobody
    assert list(pages_of_api.rglob("*.map.*[bg][rz]")) == list(pages_of_api.rglob("*redoc*")) == []
    assert list(tmp_path.rglob("secret_key")) == []


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_has_a_version_and_hashes(name: str) -> None:
    lines = requirements_of(name)
    assert lines
    assert [
        line for line in lines if not re.fullmatch(r"[^=]+==\S+ (; .+?)?(--hash=sha256:[0-9a-f]{64} ?)+", line)
    ] == []


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_requirements_name_no_index_and_no_folder(name: str) -> None:
    text = (BASE_DIR / name).read_text(encoding="utf-8")
    assert re.findall(r"https?://\S+|file:\S+|^-\S+|-c /\S+", text, re.MULTILINE) == []


def test_lists_of_requirements_are_those_of_the_project(tmp_path: Path) -> None:
    """`make lock` changes nothing. It keeps the versions and hashes that the lists have, so that new releases, and new
    files of those versions, change nothing either.
    """
    for name in ("Makefile", "pyproject.toml", *LISTS):
        shutil.copy(BASE_DIR / name, tmp_path)
    for name in ("detection/__init__.py", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(BASE_DIR / name, tmp_path / name)
    tools = tmp_path / ".venv"
    (tools / "bin").mkdir(parents=True)
    (tools / "bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    for name in ("bin/python", ".tools-installed"):
        (tools / name).touch()
    locked = subprocess.run(["make", "lock"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if "error sending request" in locked.stderr or "Failed to fetch" in locked.stderr:
        pytest.skip("needs an index of packages")
    assert locked.returncode == 0, locked.stderr
    changed = [name for name in LISTS if (tmp_path / name).read_bytes() != (BASE_DIR / name).read_bytes()]
    assert changed == [], "Run `make lock`, and commit what it writes."


def test_every_extra_has_a_list_of_requirements() -> None:
    service, extras = project()["project"]["dependencies"], project()["project"]["optional-dependencies"]
    assert names_in([*service, *extras["cpu"]]) <= set(pins_of("requirements.txt"))
    for name, extra in extras.items():
        listed = pins_of("requirements.txt" if name == "cpu" else f"requirements-{name}.txt")
        assert names_in(extra) <= set(listed), name
    assert names_in(project()["dependency-groups"]["dev"]) <= set(pins_of("requirements-dev.txt"))


@pytest.mark.parametrize("name", sorted(set(LISTS) - NOT_FOR_TOOLS))
def test_lists_of_requirements_can_be_installed_together(name: str) -> None:
    assert pins_of(name).items() <= pins_of("requirements-dev.txt").items()


def test_the_tools_come_without_ray_and_the_rest_of_its_list_has_the_versions_of_the_others() -> None:
    tools, ray = pins_of("requirements-dev.txt"), pins_of("requirements-ray.txt")
    assert "ray" in ray.keys() - tools.keys()
    assert [name for name in ray.keys() & tools.keys() if ray[name] != tools[name]] == []


def test_the_gpu_variant_differs_in_onnx_runtime_alone() -> None:
    cpu, gpu = pins_of("requirements.txt"), pins_of("requirements-gpu.txt")
    assert cpu.keys() - gpu.keys() == {"onnxruntime"}
    more = {name for name in gpu.keys() - cpu.keys() if not name.startswith(("nvidia-", "cuda-"))}
    assert more == {"onnxruntime-gpu"}
    assert [name for name in cpu.keys() & gpu.keys() if cpu[name] != gpu[name]] == []


def test_the_environment_of_mxnet_serves_with_the_same_versions_but_numpy() -> None:
    service, mxnet = pins_of("requirements.txt"), pins_of("requirements-mxnet.txt")
    direct = names_in(project()["project"]["dependencies"])
    assert {name for name in direct if mxnet[name] != service[name]} == {"numpy"}
    assert mxnet["mxnet"].startswith("1.")


def make(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run make where only the programs in `path` can be found, in a folder without environments."""
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(
        command, cwd=path.parent, env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the shell and awk alone, beside a copy of the Makefile."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(BASE_DIR / "Makefile", tmp_path)
    for name in LISTS:
        shutil.copy(BASE_DIR / name, tmp_path)
    path = tmp_path / "bin"
    path.mkdir()
    for program in ("sh", "awk", "rm"):
        (path / program).symlink_to(shutil.which(program) or program)
    return path


def stand_in_python(path: Path, body: str) -> None:
    script = path / "python3"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)


def test_make_alone_lists_what_one_can_do(bare_path: Path) -> None:
    listed = make(path=bare_path).stdout
    for target in ("run", "test", "oracle", "lint", "format"):
        assert re.search(rf"^make {target} +\w+", listed, re.MULTILINE)


def test_make_run_without_python_says_what_to_install(bare_path: Path) -> None:
    ended = make("run", path=bare_path)
    assert ended.returncode != 0
    assert ended.stderr.startswith("No Python 3.11 or newer was found. Install one, or name it: make PYTHON=")


def test_make_run_passes_over_an_old_python(bare_path: Path) -> None:
    stand_in_python(bare_path, "exit 1")
    assert make("run", path=bare_path).stderr.startswith("No Python 3.11 or newer was found.")


def test_make_run_without_the_venv_module_says_what_to_install(bare_path: Path) -> None:
    stand_in_python(bare_path, 'case "$2" in *ensurepip*) exit 1 ;; esac')
    ended = make("run", path=bare_path)
    assert ended.returncode != 0
    assert "python3 cannot make environments. On Debian and Ubuntu, run: sudo apt install python3-venv" in ended.stderr
    assert not (bare_path.parent / ".venv").exists()


def test_an_environment_that_cannot_be_made_leaves_nothing_behind(bare_path: Path) -> None:
    (bare_path / "mkdir").symlink_to(shutil.which("mkdir") or "mkdir")
    stand_in_python(bare_path, 'case "$*" in *--clear*) mkdir -p .venv/bin; exit 1 ;; esac')
    assert make("run", path=bare_path).returncode != 0
    assert not (bare_path.parent / ".venv").exists()


def test_make_test_postgres_asks_for_the_database(bare_path: Path) -> None:
    tools = bare_path.parent / ".venv"
    (tools / "bin").mkdir(parents=True)
    for name in ("bin/python", ".tools-installed"):
        (tools / name).touch()
    assert make("test-postgres", path=bare_path).stderr.startswith("Set TEST_DATABASE_URL to a role")


def test_the_guide_for_contributors_names_files_and_targets_that_exist() -> None:
    guide = (BASE_DIR / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (BASE_DIR / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    paths = re.findall(r"`((?:detection|tests|\.ci)/[\w./-]+)`", guide)
    assert len(paths) > 10
    assert [path for path in paths if not (BASE_DIR / path).exists()] == []
    assert set(re.findall(r"`make ([a-z-]+)", guide)) <= targets


def test_version_is_written_once() -> None:
    assert project()["project"]["dynamic"] == ["version"]
    assert project()["tool"]["hatch"]["version"] == {"path": "detection/__init__.py"}
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == __version__ == SERVER["version"]
    changes = (BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {__version__}" in changes


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "docs/design.md"])
def test_map_of_the_code_names_files_that_exist(document: str) -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|js))", (BASE_DIR / document).read_text(encoding="utf-8")))
    roots = (BASE_DIR, BASE_DIR / "detection", BASE_DIR / "static" / "detection")
    there = {path.relative_to(root).as_posix() for root in roots[1:] for path in root.rglob("*.[pj][ys]")}
    assert len(named) > 20
    lost = {
        name
        for name in named
        if not (BASE_DIR / name).exists() and not any(f"/{one}".endswith(f"/{name}") for one in there)
    }
    assert lost == set()
