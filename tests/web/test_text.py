"""Text that no database holds is refused where requests come in, whatever reads it later."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from detection.errors import RequestError
from detection.oip.messages import MessageError, read_request
from detection.web.json_body import read_json
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
PAGES = ("/", "/history/", "/review/", "/dashboard/", "/batches/", "/login/")
PROGRAMS = ("/api/detections/", "/api/export", "/api/review/queue", "/api/statistics/", "/api/models", "/v2")
ADMIN = (
    "/admin/detection/detection/",
    "/admin/detection/photo/",
    "/admin/detection/verdict/",
    "/admin/detection/modelversion/",
    "/admin/detection/shadowrun/",
    "/admin/auth/user/",
)
NAMES = ("class", "model", "engine", "q", "order", "name", "o", "p", "source", "verdict", "date_from", "anything")


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS, *ADMIN])
def test_nul_in_an_address_is_refused_everywhere(path: str, client: Client) -> None:
    stored_detection(("cat", 0.9))
    client.force_login(account("root", is_staff=True, is_superuser=True))
    asked = [f"{path}?{name}=a%00b" for name in NAMES] + [f"{path}?a%00b=1"]
    assert {client.get(address).status_code for address in asked} == {400}


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/language/", "/admin/auth/user/add/"])
def test_nul_in_a_form_is_refused(path: str, client: Client) -> None:
    client.force_login(account("root", is_staff=True, is_superuser=True))
    assert client.post(path, {"username": "a\0b", "password": "x", "language": "ru", "next": "/\0"}).status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"\\u0000"', id="NUL"),
        pytest.param('"\\ud83d"', id="half of a pair"),
        pytest.param('"\\ude00\\ud83d"', id="a pair the wrong way round"),
        pytest.param('[{"a": {"b\\u0000": 1}}]', id="key"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"a":' * 50_000, id="deep objects"),
        pytest.param("NaN", id="no number"),
        pytest.param('{"a": 1', id="cut off"),
        pytest.param("", id="empty"),
    ],
)
@pytest.mark.parametrize(
    ("read", "error"),
    [(read_json, RequestError), (lambda raw: read_request(raw, None), MessageError)],
    ids=["API", "inference protocol"],
)
def test_json_that_cannot_be_kept_is_refused(text: str, read: Callable[..., Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        read(text.encode())


@pytest.mark.parametrize("raw", [b'"\xed\xa0\xbd"', b'"\xff"', '"a"'.encode("utf-16")], ids=["surrogate", "byte", "16"])
def test_json_that_is_no_utf8_is_refused(raw: bytes) -> None:
    with pytest.raises(RequestError, match="Send JSON in UTF-8"):
        read_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b'"\\ud83d\\ude00"', "\N{GRINNING FACE}", id="pair"),
        pytest.param(b'"\\\\u0000"', "\\u0000", id="the letters of an escape"),
        pytest.param(b'\xef\xbb\xbf{"a": [1.5]}', {"a": [1.5]}, id="byte order mark"),
    ],
)
def test_json_is_read_as_it_is_meant(raw: bytes, value: Any) -> None:
    assert read_json(raw) == value


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_verdict_with_such_a_class_is_refused(name: str, client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    body = json.dumps({"version": 0, "verdicts": [{"kind": "relabelled", "object": 0, "class": name}]})
    path = f"/api/detections/{detection.uuid}/review"
    answer = client.post(path, body, content_type="application/json")
    assert answer.status_code == 400
    assert "character that cannot be stored" in answer.json()["error"]


@pytest.mark.parametrize("version", ["1" * 7_000, "1" * 65])
def test_version_that_no_folder_can_have_is_not_known(version: str, client: Client) -> None:
    assert client.get(f"/v2/models/nanodet_plus_m/versions/{version}").status_code == 404
    assert client.get(f"/api/models?x={uuid4()}").status_code in {200, 400}
