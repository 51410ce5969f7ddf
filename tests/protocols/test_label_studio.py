"""Label Studio's requests to a machine-learning backend, with a Label Studio that has the photos."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from tests.support.loopback import serving
from tests.support.serving import Server, running_server

CONFIG = """<View>
  <Image name="img" value="$photo"/>
  <Choices name="kind" toName="img"><Choice value="good"/></Choices>
  <RectangleLabels name="box" toName="img"><Label value="Katze" alias="cat"/><Label value="dog"/></RectangleLabels>
</View>"""
PERSONAL = "a.b.c"


@dataclass
class LabelStudioStub:
    """A Label Studio with files; `seen` has the requests with their authorization."""

    files: dict[str, bytes]
    url: str = ""
    seen: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def label_studio(files: dict[str, bytes]) -> Iterator[LabelStudioStub]:
    plan = LabelStudioStub(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            plan.seen.append((self.path, self.headers.get("Authorization")))
            content = plan.files.get(self.path)
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                return
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def do_POST(self) -> None:
            refresh = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["refresh"]
            plan.seen.append((self.path, refresh))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"access": "short"}')

        def log_message(self, *_arguments: Any) -> None:
            pass

    with serving(Handler) as plan.url:
        yield plan


@pytest.fixture(scope="module")
def studio() -> Iterator[LabelStudioStub]:
    with label_studio({}) as plan:
        yield plan


@pytest.fixture(scope="module")
def server(studio: LabelStudioStub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("labels")), "LABEL_STUDIO_URL": f"{studio.url}?token=old"}
    with running_server({**settings, "MAX_BODY_BYTES": "200000"}) as running:
        yield running


def ask(server: Server, *references: Any, config: str = CONFIG, **more: Any) -> httpx.Response:
    tasks = [{"id": number, "data": {"photo": each}} for number, each in enumerate(references)]
    asked = {"tasks": tasks, "label_config": config, "project": "1.1", "params": {}, **more}
    return httpx.post(f"{server.url}/api/labelstudio/default/predict", json=asked, timeout=60)


def test_every_task_has_one_result_with_the_labels_of_the_project(
    server: Server, studio: LabelStudioStub, chelsea: bytes
) -> None:
    studio.files["/data/upload/1/cat.jpg"] = chelsea
    inline = f"data:image/jpeg;base64,{base64.b64encode(chelsea).decode()}"
    answer = ask(server, "/data/upload/1/cat.jpg", f"{studio.url}/data/upload/1/cat.jpg", inline).json()
    first, second, third = answer["results"]
    found = httpx.post(f"{server.url}/predict", content=chelsea, headers={"Content-Type": "image/jpeg"}).json()
    best = found["prediction"][0]
    (region,) = first["result"]
    assert (region["from_name"], region["to_name"], region["type"]) == ("box", "img", "rectanglelabels")
    assert (region["original_width"], region["original_height"]) == (451, 300)
    assert region["score"] == best["probability"] == first["score"]
    value = region["value"]
    assert value["rectanglelabels"] == ["Katze"]
    assert [value[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [100 * best["x"] / 451, 100 * best["y"] / 300, 100 * best["width"] / 451, 100 * best["height"] / 300]
    )
    assert [each["result"][0]["value"] for each in (second, third)] == [value, value]
    assert studio.seen[-1] == ("/data/upload/1/cat.jpg", "Token old")


def test_classes_that_the_project_does_not_have_are_left_out(
    server: Server, studio: LabelStudioStub, chelsea: bytes
) -> None:
    studio.files["/cat.jpg"] = chelsea
    answer = ask(server, "/cat.jpg", config=CONFIG.replace("cat", "wolf")).json()
    assert [(each["result"], each["score"]) for each in answer["results"]] == [([], 0.0)]


def test_connecting_asks_for_health_and_setup(server: Server) -> None:
    address = f"{server.url}/api/labelstudio/mobilenet_ssd_voc"
    assert httpx.get(f"{address}/health").json() == {"status": "UP", "model_class": "mobilenet_ssd_voc"}
    told = {"project": "1.1", "schema": CONFIG, "hostname": "http://evil.example", "access_token": "x"}
    assert httpx.post(f"{address}/setup", json=told).json() == {"model_version": "mobilenet_ssd_voc"}
    assert httpx.post(f"{address}/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        pytest.param("http://169.254.169.254/latest/meta-data", "The image is not at http://127.0.0.1", id="elsewhere"),
        pytest.param("//evil.example/a.jpg", "The image is not at", id="another host without a scheme"),
        pytest.param("file:///etc/passwd", "The image is not at", id="a file"),
        pytest.param("s3://bucket/a.jpg", "The image is not at", id="a bucket"),
        pytest.param("/gone.jpg", "answered 404", id="gone"),
        pytest.param("/moved", "answered 302", id="a redirect"),
        pytest.param(None, "The task has no image", id="nothing"),
        pytest.param("/large.jpg", "The body is too large", id="too large"),
        pytest.param("/text.jpg", "The photo cannot be read", id="no photo"),
    ],
)
def test_photos_come_from_that_label_studio_alone(
    reference: Any, sentence: str, server: Server, studio: LabelStudioStub
) -> None:
    studio.files |= {"/large.jpg": b"\xff\xd8" * 200_000, "/text.jpg": b"text"}
    answer = ask(server, reference, hostname="http://evil.example")
    assert answer.status_code in {400, 413}
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        pytest.param("<View/>", "The labeling configuration has no boxes", id="no boxes"),
        pytest.param("<View>", "The labeling configuration is no XML", id="no XML"),
        pytest.param('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "The labeling configuration is no plain XML", id="entities"),
        pytest.param(CONFIG.replace("$photo", "photo"), "The labeling configuration has no boxes", id="no key"),
    ],
)
def test_configuration_without_boxes_is_refused(config: str, sentence: str, server: Server) -> None:
    answer = ask(server, "/cat.jpg", config=config)
    assert (answer.status_code, answer.json()["error"][: len(sentence)]) == (400, sentence)


def test_personal_token_is_exchanged(studio: LabelStudioStub, tmp_path: Any, chelsea: bytes) -> None:
    studio.files["/cat.jpg"] = chelsea
    settings = {"DATA_DIR": str(tmp_path), "LABEL_STUDIO_URL": f"{studio.url}?token={PERSONAL}"}
    with running_server(settings) as running:
        assert len(ask(running, "/cat.jpg").json()["results"]) == 1
    assert studio.seen[-2:] == [("/api/token/refresh", PERSONAL), ("/cat.jpg", "Bearer short")]
