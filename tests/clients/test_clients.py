"""The real thing: other servers' own clients, in an environment of their own, against this server.

`make clients` makes the environment and runs this. Each gets the boxes of /predict to the pixel, and its own exception
for what is refused.
"""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection.conf import BASE_DIR
from tests.support import photos
from tests.support.serving import Server, running_server, server_environment

PYTHON, NODE_PACKAGES = os.environ.get("CLIENTS_PYTHON", ""), os.environ.get("CLIENTS_NODE", "")
NODE = shutil.which("node") or ""
MODEL = "mobilenet_ssd_voc"
THRESHOLD = 0.3
HERE = Path(__file__).parent
PATIENCE_S = 120
CLIENTS = ["hugging_face", "hugging_face_js", "roboflow", "deepstack", "codeproject"]
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs the clients: run `make clients`")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Room for one body: whoever holds it makes the server busy for all others.
    settings = {"MAX_BODY_BYTES": "1000000", "BODY_BUDGET_BYTES": "1000000"}
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("open")), **settings}) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("closed")), "ACCESS": "login"}) as running:
        yield running


@pytest.fixture(scope="module")
def key(closed: Server) -> str:
    """The token of a user of the closed server."""

    def manage(*arguments: str) -> str:
        settings = {"DATA_DIR": str(closed.data_dir), "ACCESS": "login", "DJANGO_SUPERUSER_PASSWORD": "a long one"}
        command = [sys.executable, "manage.py", *arguments]
        environment = server_environment(settings)
        return subprocess.run(
            command, cwd=BASE_DIR, env=environment, text=True, capture_output=True, check=True, timeout=PATIENCE_S
        ).stdout

    manage("createsuperuser", "--noinput", "--username=camera", "--email=camera@example.org")
    return manage("drf_create_token", "camera").split()[2]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Larger than what a caller without a login may send, and small enough that no client scales it down.
    path = tmp_path_factory.mktemp("photos") / "cat.jpg"
    path.write_bytes(photos.real_photo("chelsea") + b"\0" * 100_000)
    return path


def ask(client: str, url: str, key: str, photo: Path, model: str = MODEL) -> dict[str, Any]:
    return run(client, {"url": url, "key": key, "photo": str(photo), "model": model, "threshold": THRESHOLD})


def run(client: str, asked: dict[str, Any]) -> dict[str, Any]:
    command = [PYTHON, str(HERE / "asks.py"), client]
    if client == "hugging_face_js":
        command = [NODE, str(HERE / "asks.mjs"), f"{NODE_PACKAGES}/node_modules/@huggingface/inference"]
    done = subprocess.run(
        command, input=json.dumps(asked), text=True, capture_output=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def boxes(server: Server, photo: Path) -> list[list[Any]]:
    """Return what /predict finds, as corners."""
    address = f"{server.url}/predict?store=0&threshold={THRESHOLD}&model={MODEL}"
    found = httpx.post(address, content=photo.read_bytes(), headers={"Content-Type": "image/jpeg"}).json()
    return [
        [one["objectClass"], one["probability"], one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]]
        for one in found["prediction"]
    ]


@pytest.mark.parametrize("client", CLIENTS)
def test_client_gets_the_boxes_of_predict(client: str, server: Server, photo: Path) -> None:
    wanted = boxes(server, photo)
    assert wanted
    found = ask(client, server.url, "0" * 40, photo)["found"]
    assert [row[0] for row in found] == [row[0] for row in wanted]
    if client == "roboflow":  # it opens the photo and sends a JPEG of its own
        assert [row[1:] for row in found] == [pytest.approx(row[1:], abs=3) for row in wanted]
    else:
        assert [row[1:] for row in found] == [row[1:] for row in wanted]


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "codeproject"])  # it sends no key
def test_client_gets_in_with_its_key(client: str, closed: Server, key: str, photo: Path) -> None:
    assert [row[0] for row in ask(client, closed.url, key, photo)["found"]] == ["cat"]


# What each client makes of a refusal: its exception, and whether its text has the sentence of the server.
EXCEPTIONS = {
    "hugging_face": ("HfHubHTTPError", True),
    "hugging_face_js": ("InferenceClientProviderApiError", True),
    "roboflow": ("HTTPCallErrorError", True),
    "deepstack": ("Exception", False),
    "codeproject": ("CodeProjectAIException", False),
}


def assert_refused(client: str, told: dict[str, Any], sentence: str) -> None:
    name, shows_sentence = EXCEPTIONS[client]
    assert name in told["exception"], told
    assert (sentence in told["text"]) is shows_sentence, told


@pytest.mark.parametrize("client", CLIENTS)
def test_wrong_key_is_refused(client: str, closed: Server, photo: Path) -> None:
    sentence = "This token is not valid"
    assert_refused(client, ask(client, closed.url, "0" * 40, photo), sentence)


@pytest.mark.parametrize("client", CLIENTS)
def test_unknown_model_is_refused(client: str, server: Server, photo: Path) -> None:
    assert_refused(client, ask(client, server.url, "0" * 40, photo, "none"), "There is no model 'none'")


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "roboflow"])  # it opens the photo itself
def test_file_that_is_no_photo_is_refused(client: str, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "text.jpg"
    file.write_bytes(b"This is no photo. " * 10)
    # The client in JavaScript names no type.
    sentence = "Invalid content" if client == "hugging_face_js" else "photo"
    assert_refused(client, ask(client, server.url, "0" * 40, file), sentence)


@pytest.mark.parametrize("client", CLIENTS)
def test_busy_server_is_said_to_be_busy(client: str, server: Server, photo: Path) -> None:
    with _holding(server):
        assert_refused(client, ask(client, server.url, "0" * 40, photo), "The server is busy: the photos on their way")


def test_function_for_cvat_gives_the_boxes_of_predict(server: Server, photo: Path) -> None:
    function = str(BASE_DIR / "docs" / "examples" / "cvat_function.py")
    asked = {"url": server.url, "key": "", "photo": str(photo), "model": MODEL, "threshold": THRESHOLD}
    assert run("cvat", {**asked, "function": function})["found"] == [[row[0], *row[2:]] for row in boxes(server, photo)]


def test_label_studio_finds_nothing_wrong(tmp_path: Path) -> None:
    """Its own check takes predictions of our backend for a project, and those of our export."""
    settings = {"DATA_DIR": str(tmp_path), "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    config = (
        '<View><Image name="i" value="$image"/>'
        '<RectangleLabels name="b" toName="i"><Label value="cat"/></RectangleLabels></View>'
    )
    with running_server(settings) as running:
        data = {"image": f"data:image/jpeg;base64,{base64.b64encode(photos.real_photo('chelsea')).decode()}"}
        asked = {"tasks": [{"id": 1, "data": data}], "label_config": config}
        address = f"{running.url}/api/labelstudio/{MODEL}/predict"
        answered = httpx.post(address, json=asked, timeout=60).json()["results"]
        exported = httpx.get(f"{running.url}/api/export?format=labelstudio").content
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        tasks = json.loads(archive.read("tasks.json"))
        own_config = archive.read("label_config.xml").decode()
    assert wrong_with(config, answered) == [[]]
    assert wrong_with(own_config, [each for task in tasks for each in task["predictions"]]) == [[]]
    assert wrong_with(config.replace("cat", "dog"), answered) != [[]]


def wrong_with(config: str, predictions: list[Any]) -> list[Any]:
    assert predictions[0]["result"]
    found: list[Any] = run("label_studio", {"config": config, "predictions": predictions})["found"]
    return found


@contextmanager
def _holding(server: Server) -> Iterator[None]:
    """Send most of a body that the server's memory has room for, and wait with the rest."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as opened:
        head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n"
        opened.sendall(head.encode() + b"\xff\xd8" + b"x" * 950_000)
        answer = 0
        while answer != 503:
            kind = {"Content-Type": "image/jpeg"}
            answer = httpx.post(f"{server.url}/predict?store=0", content=b"\xff\xd8" * 50_000, headers=kind).status_code
        yield
