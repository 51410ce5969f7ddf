"""A Python client made of the API's description by openapi-python-client, against this server."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import photos
from tests.support.serving import Server, running_server

PYTHON = os.environ.get("CLIENTS_PYTHON", "")
USE = Path(__file__).with_name("generated.py")
PATIENCE_S = 120
# It knows bodies of bytes by this name alone.
CONFIG = {"content_type_overrides": {"image/jpeg": "application/octet-stream", "text/csv": "text/plain"}}
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs the clients: run `make clients`")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("open"))}) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the generated package `detector_client`."""
    folder = tmp_path_factory.mktemp("client")
    described = httpx.get(f"{server.url}/api/schema/", params={"format": "json"}).raise_for_status()
    (folder / "openapi.json").write_bytes(described.content)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    generator = [PYTHON, "-m", "openapi_python_client", "generate", "--meta", "none"]
    files = ["--path", "openapi.json", "--config", "config.json", "--output-path", "detector_client"]
    environment = {**os.environ, "PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*generator, *files],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_generated_client_predicts_lists_reviews_and_exports(server: Server, client: Path, tmp_path: Path) -> None:
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(photos.real_photo("chelsea"))
    done = subprocess.run(
        [PYTHON, str(USE), server.url, str(photo)],
        env={**os.environ, "PYTHONPATH": str(client)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    sent = httpx.post(f"{server.url}/api/predict?threshold=0.3&store=0", content=photo.read_bytes())
    assert told["objects"] == sent.json()["prediction"]
    assert told["objects"][0]["objectClass"] == "cat"
    assert "The photo cannot be read" in told["refusal"]
    assert (told["detection"] in told["listed"], told["photo"]) == (True, "cat.jpg")
    assert {"mobilenet_ssd_voc", "nanodet_plus_m"} <= set(told["models"])
    assert set(told["verdicts"]) == {"confirmed"}
    assert (told["is_reviewed"], told["conflict"], told["undone"]) == (True, [409, 1], False)
    assert told["categories"] is True
    assert (told["state"], told["done"]) == ("done", 1)
