"""Several models at once: listed, chosen by name, no more in memory than allowed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from detection.inference.errors import CheckpointError
from detection.models import Batch, Detection
from detection.predict import service as predict_service
from detection.serving import service as serving
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("dark", "light", "other")


@pytest.fixture(autouse=True)
def models(limits: Any, tmp_path: Path) -> Iterator[None]:
    """Three small models beside the default one, two in memory at most, the default included."""
    predict_service.stop()
    for name in NAMES:
        write_model(tmp_path / "models" / name, constant_network(nanodet_outputs(int(name == "light"))))
    limits(data_dir=tmp_path, models=(*NAMES, "gone"), max_resident_models=2)
    serving.start()
    yield
    predict_service.stop()


def predict(client: Client, photo: bytes, name: str) -> Any:
    return client.post(f"/api/predict?model={name}", photo, content_type="image/jpeg")


def test_the_model_that_is_named_answers_and_is_recorded(client: Client, chelsea: bytes) -> None:
    for name, version, class_name in (
        ("light", "1.0", "light"),
        ("dark", "1.0", "dark"),
        ("mobilenet_ssd_voc", "", "cat"),
    ):
        response = predict(client, chelsea, name)
        assert response["X-Model"] == (f"{name}@{version}" if version else name)
        assert response.json()["prediction"][0]["objectClass"] == class_name
        row = Detection.objects.get(uuid=response["X-Detection-Id"])
        assert (row.model_name, row.model_version, len(row.model_sha256)) == (name, version, 64)


def test_version_of_two_models_is_refused_also_when_one_is_loaded(
    client: Client, chelsea: bytes, tmp_path: Path
) -> None:
    for name in ("dark", "light"):
        write_model(
            tmp_path / "models" / name, constant_network(nanodet_outputs(int(name == "light"))), {"name": "net"}
        )
    assert predict(client, chelsea, "dark")["X-Model"] == "net@1.0"
    refused = predict(client, chelsea, "net@1.0")
    assert refused.status_code == 409
    assert refused.json()["error"].startswith(
        "There are two models net@1.0, in DATA_DIR/models/dark, DATA_DIR/models/light."
    )
    assert predict(client, chelsea, "light@1.0")["X-Model"] == "net@1.0"


def test_the_pages_have_a_choice_and_the_form_sends_it(client: Client, chelsea: bytes) -> None:
    for address in ("/", "/batches/", "/live/"):
        page = client.get(address).content.decode()
        assert '<option value="">mobilenet_ssd_voc</option>' in page
        assert all(f'<option value="{name}">{name}</option>' in page for name in NAMES)
    client.post("/", {"image": SimpleUploadedFile("cat.jpg", chelsea, "image/jpeg"), "model": "light"})
    assert Detection.objects.get().model_name == "light"


def test_the_choice_survives_a_photo_that_cannot_be_used(client: Client) -> None:
    wrong = client.post("/", {"image": SimpleUploadedFile("cat.jpg", b"no photo", "image/jpeg"), "model": "light"})
    assert wrong.status_code == 400
    assert '<option value="light" selected>light</option>' in wrong.content.decode()


@pytest.mark.parametrize("names", [(), ("mobilenet_ssd_voc",)], ids=["none", "the default only"])
def test_nothing_is_to_be_chosen_where_one_model_is_offered(
    names: tuple[str, ...], limits: Any, client: Client
) -> None:
    limits(models=names)
    for address in ("/", "/batches/", "/live/"):
        assert "data-model" not in client.get(address).content.decode()


def test_the_model_of_a_batch_answers_all_of_its_photos(client: Client, chelsea: bytes) -> None:
    wanted = {"name": "two", "model": "light", "photos": [{"name": name, "size_bytes": 1} for name in "ab"]}
    batch = client.post("/api/batches/", wanted, content_type="application/json").json()
    assert batch["model"] == "light"
    for position in range(2):
        address = f"/api/batches/{batch['id']}/photos/{position}"
        assert client.post(f"{address}?model=dark", chelsea, content_type="image/jpeg").status_code == 400
        assert client.post(address, chelsea, content_type="image/jpeg").json()["objects"] == {"light": 1}
    assert set(Detection.objects.values_list("model_name", flat=True)) == {"light"}
    assert "by light" in client.get(f"/batches/{batch['id']}/").content.decode()


def test_a_batch_of_an_unknown_model_is_refused(client: Client) -> None:
    wanted = {"model": "gone", "photos": [{"name": "a", "size_bytes": 1}]}
    refused = client.post("/api/batches/", wanted, content_type="application/json")
    assert (refused.status_code, Batch.objects.count()) == (404, 0)
    assert "Use one of" in refused.json()["error"]


def test_the_threshold_of_the_card_counts_where_nobody_says_one(
    client: Client, chelsea: bytes, tmp_path: Path, limits: Any
) -> None:
    network = constant_network(nanodet_outputs(0))
    write_model(tmp_path / "models" / "shy", network, {"threshold": 0.99999})
    limits(data_dir=tmp_path, models=("shy",))
    # Batches are listed before the model is in memory.
    wanted = {"model": "shy", "photos": [{"name": "a", "size_bytes": 1}]}
    assert client.post("/api/batches/", wanted, content_type="application/json").json()["threshold"] == 0.99999
    assert predict(client, chelsea, "shy").json() == {"prediction": []}
    assert Detection.objects.get().threshold == 0.99999
    asked = client.post("/api/predict?model=shy&threshold=0.2", chelsea, content_type="image/jpeg")
    assert len(asked.json()["prediction"]) == 1
    limits(data_dir=tmp_path, models=("shy",), probability_more=0.3)
    assert len(predict(client, chelsea, "shy").json()["prediction"]) == 1


def test_an_unknown_model_is_told_with_those_that_there_are(client: Client, chelsea: bytes) -> None:
    for name in ("resnet", "gone", "../dark"):
        response = predict(client, chelsea, name)
        assert response.status_code == 404
        assert "Use one of dark, light, other, gone, or leave `model` out" in response.json()["error"]
    assert Detection.objects.count() == 0


def test_models_are_listed_and_the_one_unused_longest_leaves_the_memory(client: Client, chelsea: bytes) -> None:
    assert loaded(client) == ["mobilenet_ssd_voc"]
    for name in NAMES:
        predict(client, chelsea, name)
    body = client.get("/api/models").json()
    assert [each["name"] for each in body["models"] if each["is_loaded"]] == ["mobilenet_ssd_voc", "other"]
    assert [each["name"] for each in body["models"]] == ["mobilenet_ssd_voc", *NAMES, "gone"]
    assert [each["is_default"] for each in body["models"]] == [True, False, False, False, False]
    dark = body["models"][1]
    assert (dark["version"], dark["family"], dark["classes"]) == ("1.0", "nanodet_plus", ["dark", "light"])
    assert (dark["input_width"], dark["input_height"], len(dark["sha256"])) == (32, 32, 64)
    assert "no model 'gone'" in body["models"][-1]["problem"]
    assert body["max_resident_models"] == 2
    assert body["resident_memory_bytes"] > 50_000_000
    assert predict(client, chelsea, "dark").status_code == 200


def listed(client: Client, name: str) -> Any:
    (found,) = [each for each in client.get("/api/models").json()["models"] if each["name"] == name]
    return found


def test_a_model_without_an_int8_model_answers_in_f32_beside_one_that_has_it(
    client: Client, chelsea: bytes, tmp_path: Path, limits: Any, caplog: pytest.LogCaptureFixture
) -> None:
    predict_service.stop()
    limits(data_dir=tmp_path, models=("dark",), model_precision="int8")
    serving.start()
    for _ in range(2):
        assert predict(client, chelsea, "dark")["X-Model"] == "dark@1.0"
    assert [listed(client, name)["precision"] for name in ("mobilenet_ssd_voc", "dark")] == ["int8", "f32"]
    (told,) = [record.getMessage() for record in caplog.records if "runs in f32" in record.getMessage()]
    assert "The model dark runs in f32." in told
    assert "has no int8 model" in told


def test_the_default_model_does_not_start_without_its_int8_model(tmp_path: Path, limits: Any) -> None:
    predict_service.stop()
    limits(model_prefix=tmp_path / "models" / "dark", model_precision="int8")
    with pytest.raises(CheckpointError, match="has no int8 model"):
        serving.start()


def test_a_model_that_cannot_be_loaded_is_told_without_where_it_lies(
    client: Client, chelsea: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "models" / "dark" / "net.onnx"
    whole = file.read_bytes()
    file.write_bytes(b"damaged")
    assert listed(client, "dark")["problem"] == ""
    refused = predict(client, chelsea, "dark")
    sentence = (
        "The model dark cannot be loaded. The reason is in the server's log; ask for another one, or tell its operator."
    )
    assert (refused.status_code, refused.json()) == (503, {"error": sentence})
    assert listed(client, "dark")["problem"] == sentence
    (told,) = [record.getMessage() for record in caplog.records if "cannot be loaded" in record.getMessage()]
    assert f"{file} has the SHA-256" in told
    page = client.post("/", {"image": SimpleUploadedFile("cat.jpg", chelsea, "image/jpeg"), "model": "dark"})
    assert (page.status_code, str(tmp_path) in page.content.decode()) == (503, False)
    file.write_bytes(whole)
    assert predict(client, chelsea, "dark").status_code == 200
    assert listed(client, "dark")["problem"] == ""


def test_a_card_that_cannot_be_read_is_told_without_where_it_lies(client: Client, tmp_path: Path) -> None:
    (tmp_path / "models" / "dark" / "model.toml").write_text("wrong", encoding="utf-8")
    assert listed(client, "dark")["problem"].startswith("dark/model.toml is no TOML file")
    wanted = {"model": "dark", "photos": [{"name": "a", "size_bytes": 1}]}
    refused = client.post("/api/batches/", wanted, content_type="application/json")
    assert (refused.status_code, str(tmp_path) in refused.json()["error"]) == (503, False)


def loaded(client: Client) -> list[str]:
    return [each["name"] for each in client.get("/api/models").json()["models"] if each["is_loaded"]]
