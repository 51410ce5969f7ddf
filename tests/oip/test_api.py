"""`/v2` by NVIDIA's client, and by a server of ours with MODEL_ENGINE=remote: no code is shared with the client."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from django.test import Client
from tritonclient.utils import InferenceServerException

from detection.conf import Config, Rate, Throttle
from detection.inference.errors import OverloadedError
from detection.models import Detection
from detection.predict import service as predict_service
from tests.support import photos
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.serving import Server, running_server

NAME = EMBEDDED_PREFIX.name
PHOTO = base64.b64encode(photos.encode(photos.noise((40, 40)))).decode()
DETECTIONS = ("count", "boxes", "scores", "class_ids", "class_names", "detection_ids")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("oip")), "MODEL_ENGINE": "onnxruntime"}
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def client_of(server: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def files(*contents: bytes) -> triton.InferInput:
    found = triton.InferInput("image", [len(contents)], "BYTES")
    found.set_data_from_numpy(np.array(contents, dtype=np.object_), binary_data=True)
    return found


def test_client_sees_a_server_and_a_model_that_are_ready(client_of: Any) -> None:
    assert client_of.is_server_live()
    assert client_of.is_server_ready()
    assert client_of.is_model_ready(NAME)
    assert client_of.is_model_ready(NAME, "1")
    assert not client_of.is_model_ready("other")
    assert client_of.get_server_metadata()["extensions"] == ["binary_tensor_data"]


def test_client_reads_the_metadata(client_of: Any) -> None:
    found = client_of.get_model_metadata(NAME, "1")
    assert (found["name"], found["versions"]) == (NAME, ["1"])
    assert {each["name"]: (each["datatype"], each["shape"]) for each in found["inputs"]} == {
        "image": ("BYTES", [-1]),
        "image_rgb": ("UINT8", [-1, 300, 300, 3]),
    }
    shapes = {each["name"]: each["shape"] for each in found["outputs"]}
    assert set(shapes) == {*DETECTIONS, "cls_prob", "loc_pred"}
    assert shapes["cls_prob"] == [-1, 21, 1917]


def test_files_give_the_detections_of_predict(client_of: Any, server: Server) -> None:
    sent = [photos.real_photo("chelsea"), photos.real_photo("motorcycle_left"), photos.encode(photos.noise((90, 60)))]
    result = client_of.infer(NAME, [files(*sent)], parameters={"threshold": 0.3})
    counts, boxes, scores = (result.as_numpy(name) for name in ("count", "boxes", "scores"))
    names, ids = result.as_numpy("class_names"), result.as_numpy("detection_ids")
    assert counts.max() == boxes.shape[1] == scores.shape[1]
    for image, photo in enumerate(sent):
        answer = httpx.post(
            f"{server.url}/predict", params={"threshold": "0.3"}, content=photo, headers={"Content-Type": "image/jpeg"}
        )
        wanted = answer.json()["prediction"]
        found = [
            {
                "objectClass": names[image, rank].decode(),
                "probability": pytest.approx(scores[image, rank], abs=1e-6),
                **dict(zip(("x", "y", "width", "height"), boxes[image, rank].tolist(), strict=True)),
            }
            for rank in range(counts[image])
        ]
        assert wanted == found
        stored = httpx.get(f"{server.url}/api/detections/{ids[image].decode()}/").json()
        assert stored["source"] == "api"


def test_files_are_looked_at_in_tiles(client_of: Any, server: Server) -> None:
    result = client_of.infer(NAME, [files(photos.real_photo("chelsea"))], parameters={"tiles": 2})
    (identity,) = result.as_numpy("detection_ids")
    stored = httpx.get(f"{server.url}/api/detections/{identity.decode()}/").json()
    assert (stored["tiles"], stored["tile_grid"]) == ("2", "2x2")


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_pixels_give_the_outputs_of_the_network(binary: bool, client_of: Any) -> None:
    pixels = triton.InferInput("image_rgb", [2, 300, 300, 3], "UINT8")
    pixels.set_data_from_numpy(np.stack([np.asarray(photos.noise((300, 300), seed)) for seed in (1, 2)]), binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("cls_prob", "loc_pred")]
    result = client_of.infer(NAME, [pixels], outputs=outputs, request_id="seven")
    probabilities = result.as_numpy("cls_prob")
    assert probabilities.shape == (2, 21, 1917)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-4)
    assert not np.array_equal(probabilities[0], probabilities[1])
    assert result.as_numpy("loc_pred").shape == (2, 7668)
    assert result.get_response()["id"] == "seven"


def test_one_bad_image_fails_the_request_by_its_number_and_nothing_is_kept(client_of: Any, server: Server) -> None:
    before = httpx.get(f"{server.url}/api/detections/").json()["results"]
    with pytest.raises(InferenceServerException, match="Image 2 of 3: ") as caught:
        client_of.infer(NAME, [files(photos.real_photo("chelsea"), b"no photo", photos.real_photo("chelsea"))])
    assert caught.value.status() == "400"
    assert httpx.get(f"{server.url}/api/detections/").json()["results"] == before


def test_remote_engine_of_another_server_answers_the_same(server: Server, tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path), "MODEL_ENGINE": "remote", "REMOTE_URL": server.url}
    headers = {"Content-Type": "image/jpeg"}
    with running_server(settings) as other:
        for name in ("chelsea", "motorcycle_left"):
            answers = [
                httpx.post(
                    f"{url}/predict?threshold=0.1", content=photos.real_photo(name), headers=headers, timeout=60
                ).json()
                for url in (server.url, other.url)
            ]
            assert answers[0]["prediction"]
            assert answers[0] == answers[1]


# Without a server of its own.


@pytest.fixture
def infer(client: Client, model: None) -> Callable[..., Any]:
    """POST a document to the model: the answer."""

    def post(document: Any, address: str = f"/v2/models/{NAME}/infer", **headers: str) -> Any:
        return client.post(address, document, content_type="application/json", headers=headers)

    return post


def image(*data: str, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": list(data)}], **more}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no inputs": ({}, "Send one input"),
    "another input": ({"inputs": [{"name": "x", "datatype": "UINT8", "shape": [0], "data": []}]}, "Send one input"),
    "no images": (image(), "1 to 64 images, not 0"),
    "too many images": (image(*[""] * 65), "1 to 64 images, not 65"),
    "empty image": (image(""), "photo"),
    "threshold": (image("", parameters={"threshold": 2}), "number from 0 to 1"),
    "threshold that is true": (image("", parameters={"threshold": True}), "number from 0 to 1"),
    "threshold that is a list": (image("", parameters={"threshold": []}), "number from 0 to 1"),
    "tiles": (image("", parameters={"tiles": 5}), "tiles is '5'; set it to one of 1, 2, 3, auto"),
    "store": (image("", parameters={"store": 1}), "store has to be true or false"),
    "unknown parameter": (image("", parameters={"shared_memory_region": "x"}), "is not known here"),
    "pixels as files": (
        {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1], "data": [1]}]},
        "of type BYTES",
    ),
    "pixels of another size": (
        {"inputs": [{"name": "image_rgb", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3]}]},
        r"\[N, 300, 300, 3\]",
    ),
    "one number for pixels": (
        {"inputs": [{"name": "image_rgb", "datatype": "UINT8", "shape": [1], "data": [1]}]},
        r"\[N, 300, 300, 3\]",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", WRONG)
def test_request_that_is_wrong_is_answered_with_a_sentence(case: str, infer: Any) -> None:
    document, sentence = WRONG[case]
    response = infer(document)
    assert response.status_code == 400
    assert re.search(sentence, response.json()["error"])


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/v2/models/other", f"/v2/models/{NAME}/versions/7", "/v2/models/%00/ready"])
def test_unknown_model_or_version_is_not_found(address: str, client: Client, model: None) -> None:
    response = client.get(address)
    assert response.status_code == 404
    assert "There is no model" in response.json()["error"]


@pytest.mark.django_db
def test_server_without_its_model_is_live_but_not_ready(client: Client) -> None:
    predict_service.stop()
    assert client.get("/v2/health/live").json() == {"live": True}
    response = client.get("/v2/health/ready")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json()["error"].startswith("The model is not loaded yet")


@pytest.mark.django_db
def test_throttle_counts_inferences_too(infer: Any, limits: Callable[..., Config]) -> None:
    limits(throttle=Throttle(address=Rate(1, 60.0)))
    statuses = [infer(image("")).status_code for _ in range(2)]
    assert statuses == [400, 429]


@pytest.mark.django_db
def test_full_queue_is_said_and_what_was_queued_before_is_not_kept(infer: Any, monkeypatch: Any) -> None:
    submit, calls = predict_service.submit, []

    def submit_two(upload: Any) -> Any:
        calls.append(upload)
        if len(calls) > 2:
            raise OverloadedError("The server is busy.")
        return submit(upload)

    monkeypatch.setattr(predict_service, "submit", submit_two)
    response = infer(image(*[PHOTO] * 3))
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert Detection.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_where_that_is_asked_for(infer: Any) -> None:
    kept = infer(image(PHOTO)).json()
    unkept = infer(image(PHOTO, parameters={"store": False})).json()
    ids = [{each["name"]: each["data"] for each in answer["outputs"]}["detection_ids"] for answer in (kept, unkept)]
    assert Detection.objects.count() == 1
    assert ids == [[str(Detection.objects.get().uuid)], [""]]
