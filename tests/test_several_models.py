"""Several models at once: listed, chosen by name, no more in memory than allowed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from detection import services
from detection.models import Detection
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("dark", "light", "other")


@pytest.fixture(autouse=True)
def models(limits: Any, tmp_path: Path) -> Iterator[None]:
    """Three small models beside the default one, two in memory at most, the default included."""
    services.stop()
    for name in NAMES:
        write_model(tmp_path / "models" / name, constant_network(nanodet_outputs(int(name == "light"))))
    limits(data_dir=tmp_path, models=(*NAMES, "gone"), max_resident_models=2)
    services.start()
    yield
    services.stop()


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


def test_the_page_has_a_choice_and_the_form_sends_it(client: Client, chelsea: bytes) -> None:
    page = client.get("/").content.decode()
    assert '<option value="">mobilenet_ssd_voc</option>' in page
    assert all(f"<option>{name}</option>" in page for name in NAMES)
    client.post("/", {"image": SimpleUploadedFile("cat.jpg", chelsea, "image/jpeg"), "model": "light"})
    assert Detection.objects.get().model_name == "light"


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


def loaded(client: Client) -> list[str]:
    return [each["name"] for each in client.get("/api/models").json()["models"] if each["is_loaded"]]
