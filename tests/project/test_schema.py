"""The API's description: valid, complete, and readable without the internet."""

import io
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from detection.accounts.schema import OPEN_TO_ALL
from detection.conf import BASE_DIR
from detection.predict.request import DESCRIBED_TYPES, PHOTO_TYPES
from tests.support.serving import server_environment

# Where no model is loaded yet, the active version is asked for.
pytestmark = pytest.mark.django_db
METHODS = {"get", "post", "delete", "put", "patch"}


@pytest.fixture
def schema(client: Client) -> Any:
    response = client.get("/api/schema/", {"format": "json"})
    assert response.status_code == 200
    return response.json()


def test_description_is_valid_openapi_without_a_warning(tmp_path: Any) -> None:
    warned = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"), stderr=warned)
    assert (tmp_path / "schema.yml").read_text(encoding="utf-8").startswith("openapi: 3.")
    assert warned.getvalue() == ""


def test_description_has_every_operation_once(schema: Any) -> None:
    operations = [
        (method, path, operation["operationId"])
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    assert {(method, path) for method, path, _ in operations} >= {
        ("post", "/api/predict"),
        ("get", "/api/model"),
        ("get", "/api/detections/"),
        ("get", "/api/detections/{detection_id}/"),
        ("delete", "/api/detections/{detection_id}/"),
        ("get", "/api/detections/{detection_id}/photo"),
        ("get", "/api/detections/{detection_id}/annotated"),
        ("get", "/api/detections/{detection_id}/thumbnail"),
    }
    ids = [operation_id for _, _, operation_id in operations]
    assert sorted(ids) == sorted(set(ids))


def test_description_has_the_address_of_the_2019_service_and_the_probes(schema: Any) -> None:
    entry, predict = (schema["paths"][path]["post"] for path in ("/predict", "/api/predict"))
    own = dict.fromkeys(("operationId", "summary", "description"), "")
    assert {**entry, **own} == {**predict, **own}
    assert set(schema["paths"]["/healthz"]["get"]["responses"]) >= {"200"}
    assert set(schema["paths"]["/readyz"]["get"]["responses"]) >= {"200", "503"}


def test_description_has_the_address_of_the_environment(tmp_path: Any) -> None:
    """One that is the API's own is described once."""
    for entry_point, paths in (("/v1/detect", {"/v1/detect", "/api/predict"}), ("/api/predict", {"/api/predict"})):
        # The database has no tables yet, of which the log warns.
        settings = {"DATA_DIR": str(tmp_path), "REST_ENTRY_POINT": entry_point, "LOGGING": "error"}
        command = [sys.executable, "manage.py", "spectacular", "--fail-on-warn", "--format", "openapi-json"]
        done = subprocess.run(
            command, cwd=BASE_DIR, env=server_environment(settings), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        described = json.loads(done.stdout)["paths"]
        assert {path for path, item in described.items() if "multipart/form-data" in str(item)} == paths


def test_description_of_predict_has_the_contract(schema: Any) -> None:
    predict = schema["paths"]["/api/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {*DESCRIBED_TYPES, "multipart/form-data"}
    assert PHOTO_TYPES >= set(DESCRIBED_TYPES) >= {"image/jpeg", "image/png", "image/webp", "image/heic"}
    assert {parameter["name"] for parameter in predict["parameters"]} >= {"threshold", "store", "X-File-Name"}
    assert set(predict["responses"]) >= {"200", "400", "413", "503"}
    found = schema["components"]["schemas"]["PredictedObject"]
    assert list(found["properties"]) == ["objectClass", "probability", "x", "y", "width", "height"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("access", "security", "unknown"),
    [("open", [], False), ("login", [{"token": []}, {"login": []}], True)],
)
def test_description_says_who_may_call(access: str, security: Any, unknown: bool, limits: Any, client: Client) -> None:
    limits(access=access)
    user = get_user_model().objects.create(username="anna")
    client.force_login(user)
    described = client.get("/api/schema/", {"format": "json"}).json()
    public = [item["get"] for path, item in described["paths"].items() if path in OPEN_TO_ALL]
    assert [(each["security"], "401" in each["responses"]) for each in public] == [([], False)] * 4
    closed = [item for path, item in described["paths"].items() if path not in OPEN_TO_ALL]
    operations = [operation for item in closed for operation in item.values()]
    assert {json.dumps(operation["security"]) for operation in operations} == {json.dumps(security)}
    assert all("401" in operation["responses"] for operation in operations) is unknown


def test_description_names_the_models_that_are_offered_now(client: Client, limits: Any) -> None:
    def names() -> list[str]:
        described = client.get("/api/schema/", {"format": "json"}).json()
        (model,) = [
            each for each in described["paths"]["/api/predict"]["post"]["parameters"] if each["name"] == "model"
        ]
        offered: list[str] = model["schema"]["enum"]
        return offered

    assert names() == ["mobilenet_ssd_voc", "nanodet_plus_m"]
    limits(models=())
    assert names() == ["mobilenet_ssd_voc"]


def test_description_of_the_list_has_its_filters_and_objects(schema: Any) -> None:
    parameters = schema["paths"]["/api/detections/"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} >= {
        "class",
        "not_class",
        "name",
        "album",
        "min_probability",
        "max_probability",
        "date_from",
        "date_to",
        "source",
        "cursor",
        "page_size",
    }
    objects = schema["components"]["schemas"]["Detection"]["properties"]["objects"]
    assert objects["items"] == {"$ref": "#/components/schemas/DetectedObject"}


def test_documentation_page_works_without_other_hosts_and_inline_code(client: Client) -> None:
    response = client.get("/api/docs/", headers={"Accept": "text/html"})
    html = response.content.decode()
    assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<style" not in html
    assert " style=" not in html
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) >= 6
    assert [address for address in addresses if not address.startswith("/")] == []
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
        else:
            assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_documentation_asks_no_other_host_to_validate_it(client: Client) -> None:
    script = client.get("/api/docs/", {"script": ""}).content.decode()
    assert '"validatorUrl": null' in script
    assert re.findall(r"https?://(?!www\.w3\.org)[\w.-]+", script) == []
