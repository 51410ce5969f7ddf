"""Examples in the API's description: one for each request and answer, of the form that is described and answered."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.test import Client

from detection.web.api_docs.examples import recorded
from tests.support.serving import running_server
from tools.api_examples import walk

pytestmark = pytest.mark.django_db
BODY = "application/json"


@pytest.fixture
def schema(client: Client) -> Any:
    return client.get("/api/schema/", {"format": "json"}).json()


def bodies(schema: Any) -> Iterator[tuple[str, Any]]:
    """Each request and answer that has a body: where it is, and its description."""
    for item in schema["paths"].values():
        for operation in item.values():
            name = operation["operationId"]
            for kind, described in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{name} request {kind}", described
            for status, answer in operation["responses"].items():
                for kind, described in answer.get("content", {}).items():
                    yield f"{name} {status} {kind}", described


def as_json_schema(described: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: what is nullable may be null."""
    if isinstance(described, list):
        return [as_json_schema(one) for one in described]
    if not isinstance(described, dict):
        return described
    plain = {name: as_json_schema(value) for name, value in described.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if described.get("nullable") is True else plain


def form(value: Any) -> Any:
    """The form of an answer: names and types. An empty list and null have any form."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value and isinstance(value[0], dict | list) else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def alike(one: Any, other: Any) -> bool:
    if "NoneType" in {str(one), str(other)} or [] in (one, other):
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return alike(one[0], other[0])
    return bool(one == other)


def test_every_body_but_pictures_and_archives_has_an_example(schema: Any) -> None:
    lacking = {where.rpartition(" ")[2] for where, described in bodies(schema) if "example" not in described}
    pictures = {kind for kind in lacking if kind.startswith("image/")}
    assert lacking - pictures == {"application/zip", "multipart/form-data", "application/octet-stream"}
    named = {operation["operationId"] for item in schema["paths"].values() for operation in item.values()}
    assert recorded().keys() - {"errors"} == named


def test_every_example_has_the_form_that_is_described(schema: Any) -> None:
    components = {"components": as_json_schema(schema["components"])}
    checked = 0
    for where, described in bodies(schema):
        if "example" in described and where.endswith(BODY):
            checker = jsonschema.Draft7Validator({**as_json_schema(described["schema"]), **components})
            assert [error.message for error in checker.iter_errors(described["example"])] == [], where
            checked += 1
    assert checked > 100


def test_operations_have_summaries_one_tag_and_names_of_one_style(schema: Any) -> None:
    verbs = {"list", "get", "create", "delete", "send", "record", "undo", "export", "check", "infer", "predict"}
    known = {tag["name"] for tag in schema["tags"]}
    for path, item in schema["paths"].items():
        for operation in item.values():
            assert operation["operationId"].partition("_")[0] in verbs
            assert operation["summary"][0].isupper(), path
            assert not operation["summary"].endswith(".")
            assert len(operation["tags"]) == 1
            assert operation["tags"][0] in known
    assert {"Verdict", "ReviewStep", "ReviewConflict", "BatchPhoto"} <= schema["components"]["schemas"].keys()
    assert "Saying" not in schema["components"]["schemas"]


def test_server_answers_what_the_examples_show(tmp_path: Any) -> None:
    # The wording of a sentence may change; that there is one may not.
    with running_server({"DATA_DIR": str(tmp_path), "MODEL_PREFIX": ""}) as server:
        answered = walk(server.url)
    for name, example in answered.items():
        known = recorded()[name]
        assert (example["request"], example["answers"].keys()) == (known["request"], known["answers"].keys()), name
        for status, kinds in example["answers"].items():
            assert kinds.keys() == known["answers"][status].keys()
            for kind, body in kinds.items():
                assert alike(form(body), form(known["answers"][status][kind])), (name, status, kind)
