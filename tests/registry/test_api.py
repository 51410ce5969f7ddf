"""GET the model that answers."""

import pytest
from django.test import Client

from detection.predict import service as predict_service


@pytest.mark.usefixtures("model")
def test_model_tells_what_it_is_and_runs_on(client: Client) -> None:
    response = client.get("/api/model")
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert list(body) == [
        "name",
        "version",
        "sha256",
        "engine",
        "device",
        "precision",
        "precision_reason",
        "classes",
        "input_edge",
        "threshold",
        "operating_point",
        "class_thresholds",
        "tiles",
        "kept_from_probability",
        "problem",
    ]
    assert (body["name"], body["engine"], body["device"], body["precision"]) == (
        "mobilenet_ssd_voc",
        "openvino",
        "CPU",
        "f32",
    )
    assert (body["input_edge"], body["threshold"], body["kept_from_probability"]) == (300, 0.5, 0.1)
    assert (body["problem"], body["precision_reason"]) == ("", "MODEL_PRECISION names it.")
    assert len(body["sha256"]) == 64
    assert len(body["classes"]) == 20
    assert {"cat", "person", "motorbike"} <= set(body["classes"])


def test_model_that_is_not_loaded_is_told(client: Client) -> None:
    predict_service.stop()
    response = client.get("/api/model")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {"error": "The model is not loaded yet. Try again in a moment."}


def test_model_cannot_be_changed(client: Client) -> None:
    response = client.post("/api/model", {"name": "other"})
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")
