"""Requests of other servers' clients, as those send them, to a real server. The clients themselves: tests/clients."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.serving import Server, running_server

MODEL = "mobilenet_ssd_voc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = str(tmp_path_factory.mktemp("protocols"))
    with running_server({"DATA_DIR": folder, "MAX_BODY_BYTES": "200000"}) as running:
        yield running


@pytest.fixture
def wanted(server: Server, chelsea: bytes) -> Any:
    """The objects of /predict in the photo."""
    kind = {"Content-Type": "image/jpeg"}
    found = httpx.post(f"{server.url}/predict?store=0&threshold=0.3", content=chelsea, headers=kind).json()
    return found["prediction"]


def in_base64(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def test_hugging_face_gets_corners(server: Server, chelsea: bytes, wanted: Any) -> None:
    address = f"{server.url}/api/hf/{MODEL}"
    in_json = {"inputs": in_base64(chelsea), "parameters": {"threshold": 0.3}}
    answers = [
        httpx.post(f"{address}?threshold=0.3", content=chelsea, headers={"Content-Type": "image/jpeg"}),
        httpx.post(f"{address}?threshold=0.3", content=chelsea),
        httpx.post(address, json=in_json),
        httpx.post(address, content=json.dumps(in_json), headers={"Content-Type": "image/jpeg"}),
    ]
    elements = [
        {
            "label": found["objectClass"],
            "score": found["probability"],
            "box": {
                "xmin": found["x"],
                "ymin": found["y"],
                "xmax": found["x"] + found["width"],
                "ymax": found["y"] + found["height"],
            },
        }
        for found in wanted
    ]
    assert elements
    assert [answer.json() for answer in answers] == [elements] * 4


def test_photoprism_gets_a_label_for_each_class(server: Server, chelsea: bytes, wanted: Any) -> None:
    image = f"data:image/jpeg;base64,{in_base64(chelsea)}"
    asked = {"id": "b1", "model": MODEL, "images": [image, image], "responseFormat": "vision"}
    answer = httpx.post(f"{server.url}/api/v1/vision/labels", json=asked).json()
    assert (answer["id"], answer["code"], answer["model"]) == ("b1", 200, {"name": MODEL, "version": ""})
    (label,) = answer["result"]["labels"]
    best = wanted[0]
    assert (label["name"], label["source"], label["confidence"]) == ("cat", "image", best["probability"])
    assert label["topicality"] == pytest.approx(best["width"] * best["height"] / (451 * 300), abs=1e-4)


@pytest.mark.parametrize("is_list", [False, True], ids=["one", "list"])
def test_roboflow_gets_centres(is_list: bool, server: Server, chelsea: bytes, wanted: Any) -> None:
    image: Any = {"type": "base64", "value": in_base64(chelsea)}
    asked = {"model_id": MODEL, "image": [image, image] if is_list else image, "confidence": 0.3, "source": "tests"}
    answer = httpx.post(f"{server.url}/infer/object_detection", json=asked).json()
    assert isinstance(answer, list) is is_list
    row = answer[1] if is_list else answer
    assert row["image"] == {"width": 451, "height": 300}
    best, found = wanted[0], row["predictions"][0]
    assert (found["class"], found["confidence"]) == (best["objectClass"], best["probability"])
    assert (found["width"], found["height"]) == (best["width"], best["height"])
    assert (found["x"] - found["width"] / 2, found["y"] - found["height"] / 2) == (best["x"], best["y"])
    assert httpx.get(f"{server.url}/api/detections/{row['inference_id']}/").status_code == 200


def test_roboflow_gets_only_what_it_asks_for(server: Server, chelsea: bytes) -> None:
    image = {"type": "base64", "value": in_base64(chelsea)}
    for wanted, found in (("dog", []), ("cat", ["cat"])):
        body = {"model_id": MODEL, "image": image, "class_filter": [wanted], "max_detections": 1}
        rows = httpx.post(f"{server.url}/infer/object_detection", json=body).json()["predictions"]
        assert [row["class"] for row in rows] == found


def test_roboflow_sees_the_models_that_are_offered(server: Server) -> None:
    registry = httpx.get(f"{server.url}/model/registry?api_key=None").json()
    names = [row["name"] for row in httpx.get(f"{server.url}/api/models").json()["models"]]
    assert [row["model_id"] for row in registry["models"]] == names
    assert {row["task_type"] for row in registry["models"]} == {"object-detection"}
    assert httpx.post(f"{server.url}/model/add", json={"model_id": MODEL}).json() == registry
    assert sorted(httpx.get(f"{server.url}/info").json()) == ["name", "uuid", "version"]


@pytest.mark.parametrize("path", ["detection", f"custom/{MODEL}"])
def test_deepstack_gets_corners_most_probable_first(path: str, server: Server, chelsea: bytes, wanted: Any) -> None:
    form = {"min_confidence": "0.3", "api_key": ""}
    answer = httpx.post(f"{server.url}/v1/vision/{path}", files={"image": ("image", chelsea)}, data=form).json()
    assert (answer["success"], answer["count"]) == (True, len(wanted))
    assert answer["predictions"][0] == {
        "label": wanted[0]["objectClass"],
        "confidence": wanted[0]["probability"],
        "x_min": wanted[0]["x"],
        "y_min": wanted[0]["y"],
        "x_max": wanted[0]["x"] + wanted[0]["width"],
        "y_max": wanted[0]["y"] + wanted[0]["height"],
    }
    assert answer["inferenceMs"] > 0


def test_deepstack_is_asked_for_its_models_and_whether_it_lives(server: Server) -> None:
    assert MODEL in httpx.post(f"{server.url}/v1/vision/custom/list").json()["models"]
    assert httpx.get(f"{server.url}/v1/status/ping").json()["success"] is True
    assert httpx.get(f"{server.url}/v1/status/updateavailable").json()["updateAvailable"] is False


HF = f"/api/hf/{MODEL}"
INFER = "/infer/object_detection"
LABELS = "/api/v1/vision/labels"
BAD = [
    pytest.param(HF, {"content": b"text"}, 400, "Invalid content", id="hf: no photo"),
    pytest.param(HF, {"content": b"{"}, 400, "The body is no JSON", id="hf: no JSON"),
    pytest.param(HF, {"json": {"inputs": "%%"}}, 400, "The photo is no valid base64", id="hf: no base64"),
    pytest.param(HF, {"json": {"inputs": "aGk="}}, 400, "The photo cannot be read", id="hf: damaged"),
    pytest.param(HF, {"json": {"inputs": 5}}, 400, "The photo has to be a text", id="hf: number"),
    pytest.param(HF, {"json": {"inputs": "https://a.b/c.jpg"}}, 400, "Photos are not fetched", id="hf: address"),
    pytest.param(HF, {"json": {"inputs": "", "parameters": []}}, 400, "The photo is empty", id="hf: empty"),
    pytest.param(HF, {"json": {"inputs": "", "parameters": 5}}, 400, "parameters has to be", id="hf: parameters"),
    pytest.param(
        HF, {"json": {"inputs": "", "parameters": {"threshold": 7}}}, 400, "threshold has to be", id="hf: threshold"
    ),
    pytest.param("/api/hf/none", {"content": b"\xff\xd8\xff"}, 404, "There is no model 'none'", id="hf: model"),
    pytest.param(INFER, {"json": {"model_id": MODEL}}, 400, "image has to be", id="roboflow: no image"),
    pytest.param(INFER, {"json": {"image": {"type": "base64", "value": ""}}}, 400, "model_id is missing", id="no id"),
    pytest.param(
        INFER,
        {"json": {"model_id": MODEL, "image": {"type": "numpy", "value": "gASVAAAA"}}},
        400,
        "image has to be",
        id="roboflow: pickle",
    ),
    pytest.param(
        INFER,
        {"json": {"model_id": "a/1", "image": {"type": "base64", "value": "aGk="}}},
        404,
        "There is no model 'a/1'",
        id="roboflow: model",
    ),
    pytest.param(INFER, {"json": {"model_id": MODEL, "image": []}}, 400, "A request has 1 to 16 photos", id="none"),
    pytest.param("/model/add", {"json": {"model_id": "a" * 256}}, 400, "model_id has to be", id="roboflow: long"),
    pytest.param("/model/add", {"json": []}, 400, "The body has to be a JSON object", id="roboflow: list"),
    pytest.param(LABELS, {"json": {"images": ["http://a/b.jpg"]}}, 400, "images has to be", id="photoprism: address"),
    pytest.param(LABELS, {"json": {"images": "data:"}}, 400, "images has to be", id="photoprism: text"),
    pytest.param("/v1/vision/detection", {"data": {"a": "b"}}, 400, "The form has no photo", id="deepstack: no file"),
    pytest.param(
        "/v1/vision/detection",
        {"files": {"image": b"x"}, "data": {"min_confidence": "high"}},
        400,
        "min_confidence has to be",
        id="deepstack: number",
    ),
    pytest.param(
        "/v1/vision/custom/none", {"files": {"image": b"x"}}, 404, "There is no model 'none'", id="deepstack: model"
    ),
    pytest.param(HF, {"content": b"0" * 400_000}, 413, "The body is too large", id="hf: too large"),
    pytest.param(LABELS, {"content": b"0" * 400_000}, 413, "The body is too large", id="photoprism: too large"),
]


def sentence_of(path: str, status: int, body: Any) -> str:
    """Return the sentence of an error, from where the client of the address reads it."""
    if path.startswith("/v1/"):
        assert (body["success"], body["code"]) == (False, status)
    if path == LABELS:
        assert (body["code"], body["result"]) == (status, {})
    found: str = body["message" if path.startswith(("/infer", "/model")) else "error"]
    return found


@pytest.mark.parametrize(("path", "request_", "status", "sentence"), BAD)
def test_bad_input_is_refused_in_the_shape_of_the_client(
    path: str, request_: Any, status: int, sentence: str, server: Server
) -> None:
    answer = httpx.post(server.url + path, **request_)
    assert (answer.status_code, sentence_of(path, status, answer.json())[: len(sentence)]) == (status, sentence)


def test_base64_counts_after_decoding(server: Server, chelsea: bytes) -> None:
    """MAX_BODY_BYTES is for photos: their base64 is larger by a third, and taken; a larger photo in binary is not."""
    fitting = chelsea + b"\0" * (199_000 - len(chelsea))
    kind = {"Content-Type": "image/jpeg"}
    assert httpx.post(server.url + HF, json={"inputs": in_base64(fitting)}).json()[0]["label"] == "cat"
    assert httpx.post(server.url + HF, content=fitting + b"\0" * 2000, headers=kind).status_code == 413
    assert httpx.post(server.url + HF, json={"inputs": in_base64(fitting + b"\0" * 2000)}).status_code == 413
    form = {"image": ("cat.jpg", fitting + b"\0" * 20_000)}
    assert httpx.post(f"{server.url}/v1/vision/detection", files=form).status_code == 413


def test_list_of_values_is_no_file(server: Server) -> None:
    deep = b'{"inputs": [' + b"1," * 100_000 + b"1]}"
    answer = httpx.post(server.url + HF, content=deep)
    assert answer.status_code == 400
