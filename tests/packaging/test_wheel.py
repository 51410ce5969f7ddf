"""The wheel as people install it: offline from a folder of wheels, in a new environment, from an empty folder."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from detection import __version__
from detection.conf import BASE_DIR
from tests.support.serving import STOP_TIMEOUT_S

PHOTO = BASE_DIR / "static" / "detection" / "samples" / "chelsea.jpg"
DOCUMENTED_CURL = re.compile(r"curl .*--data-binary @(\S+) '?http://127\.0\.0\.1:8080(/predict[^\s']*)'?\n\s+(\{.*\})")
DOWNLOAD_TIMEOUT_S = 1800
pytestmark = pytest.mark.timeout(DOWNLOAD_TIMEOUT_S + 600)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment or None, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel: its programs, an empty folder to be in, a home without anything."""

    programs: Path
    folder: Path
    home: Path

    @property
    def data_dir(self) -> Path:
        return self.home / ".local" / "share" / "detector-site"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "REST_PORT": "0", "PYTHONUNBUFFERED": "1"}

    def pip(self, command: str, *arguments: str | Path) -> None:
        """Run pip without its configuration."""
        pip = [self.programs / "python", "-m", "pip", command, "--quiet", *arguments]
        run(*pip, cwd=self.folder, PATH=os.environ["PATH"], PIP_CONFIG_FILE=os.devnull)

    def command(self, *arguments: str | Path) -> str:
        return run(self.programs / "detector-site", *arguments, cwd=self.folder, **self.environment)

    @contextmanager
    def serving(self, end: int) -> Iterator[str]:
        """Serve until the block ends, and end by a signal; the address without the last slash."""
        server = subprocess.Popen(
            [self.programs / "detector-site", "serve"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert server.stdout is not None
        try:
            said = []
            for line in server.stdout:
                said.append(line)
                if found := re.match(r"Serving on (http://\S+)/ ", line):
                    yield found[1]
                    break
            else:
                pytest.fail("".join(said))
        finally:
            server.send_signal(end)
            server.wait(STOP_TIMEOUT_S)
            server.stdout.close()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, BASE_DIR, cwd=folder)
    (built,) = folder.glob("*.whl")
    assert built.name == f"detector_site-{__version__}-py3-none-any.whl"
    return built


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of requirements.txt, whose hashes pip has verified."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:"]
    command += ["--dest", str(folder), "-r", str(BASE_DIR / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DOWNLOAD_TIMEOUT_S)
    if re.search("No matching distribution|Connection|Max retries", done.stderr):
        pytest.skip(f"needs an index of packages: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def installation(wheel: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    base = tmp_path_factory.mktemp("installed")
    for name in ("empty", "home"):
        (base / name).mkdir()
    run(sys.executable, "-m", "venv", base / "venv", cwd=base)
    made = Installation(base / "venv" / "bin", base / "empty", base / "home")
    made.pip("install", "--no-index", "--find-links", wheelhouse, wheel)
    return made


def documented_curls() -> list[tuple[Path, str, str]]:
    pages = (BASE_DIR / name for name in ("README.md", "docs/api.md"))
    found = [curl for page in pages for curl in DOCUMENTED_CURL.findall(page.read_text(encoding="utf-8"))]
    assert len(found) > 2
    return [(BASE_DIR / photo, path, json.loads(body)["prediction"][0]["objectClass"]) for photo, path, body in found]


def test_serves_as_a_clone_does_and_keeps_its_data_through_a_kill(installation: Installation) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    curls = documented_curls()
    with installation.serving(end=signal.SIGKILL) as url:
        for photo, path, expected in curls:
            post = ["curl", "-sS", "-X", "POST", "-H", "Content-Type: image/jpeg", "--data-binary", f"@{photo}"]
            answer = json.loads(run(*post, url + path, cwd=installation.folder))
            assert [found["objectClass"] for found in answer["prediction"]] == [expected]
        page = httpx.get(url)
        assert page.status_code == 200
        files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert len(files) > 3
        assert {path: httpx.get(url + path).status_code for path in files} == dict.fromkeys(files, 200)
        admin = httpx.get(f"{url}/static/admin/css/base.css")
        assert admin.status_code == 200
        russian = httpx.get(url, headers={"Accept-Language": "ru"})
        assert 'lang="ru"' in russian.text
        assert "Язык" in russian.text
    with installation.serving(end=signal.SIGTERM) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert len(httpx.get(f"{url}/api/detections/").json()["results"]) == len(curls)
    assert (installation.data_dir / "detector.sqlite3").is_file()
    assert list(installation.folder.iterdir()) == []


def test_detects_in_photos_from_the_command_line(installation: Installation) -> None:
    (line,) = installation.command("detect", PHOTO).splitlines()
    assert json.loads(line)["prediction"][0]["objectClass"] == "cat"


def test_messages_name_the_program_that_is_installed(installation: Installation) -> None:
    installation.command("migrate", "--verbosity=0")
    assert "Make one with `detector-site calibration make`." in installation.command("calibration", "list")


def test_static_files_are_collected_into_the_data_folder(installation: Installation) -> None:
    installation.command("collectstatic", "--noinput", "--ignore", "redoc")
    assert (installation.data_dir / "staticfiles" / "staticfiles.json").is_file()
    with installation.serving(end=signal.SIGTERM) as url:
        (style,) = re.findall(r'href="(/static/detection/css/common/site\.[0-9a-f]{12}\.css)"', httpx.get(url).text)
        assert "immutable" in httpx.get(url + style).headers["Cache-Control"]


def test_uninstalling_leaves_the_data_folder_alone(installation: Installation, wheel: Path) -> None:
    installation.command("detect", PHOTO)
    installation.pip("uninstall", "--yes", "detector-site")
    try:
        (packages,) = installation.programs.parent.glob("lib/python*/site-packages")
        assert [path.name for path in packages.iterdir() if path.name.startswith("detect")] == []
        assert not (installation.programs / "detector-site").exists()
        left = {
            path.relative_to(installation.home).parts[:3] for path in installation.home.rglob("*") if path.is_file()
        }
        assert left == {(".local", "share", "detector-site")}
    finally:
        installation.pip("install", "--no-index", "--no-deps", wheel)
