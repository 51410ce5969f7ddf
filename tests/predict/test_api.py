"""POST a photo to a real server: the contract of the 2019 service, and what came on top of it."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from detection.models import Detection
from tests.support import photos
from tests.support.builders import stored_rows
from tests.support.serving import Server, running_server

KEYS = ["objectClass", "probability", "x", "y", "width", "height"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("predict"))}) as running:
        yield running


@pytest.fixture
def post(server: Server) -> Iterator[Callable[..., httpx.Response]]:
    """POST a photo as the body: `post(data, "image/png", "/api/predict?store=0")`."""
    with httpx.Client(base_url=server.url, timeout=60) as client:

        def post_(data: bytes, kind: str = "image/jpeg", url: str = "/predict", **headers: str) -> httpx.Response:
            return client.post(url, content=data, headers={"Content-Type": kind, **headers})

        yield post_


def history(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/api/detections/?page_size=200").json()["results"]
    return found


def files(server: Server) -> set[Path]:
    return {path for path in (server.data_dir / "photos").rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", ["/predict", "/api/predict"])
@pytest.mark.parametrize(
    ("name", "object_class"), [("chelsea", "cat"), ("astronaut", "person"), ("motorcycle_left", "motorbike")]
)
def test_real_photo_is_answered_by_the_contract(path: str, name: str, object_class: str, post: Any) -> None:
    data = photos.real_photo(name)
    response = post(data, url=path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    body = response.json()
    assert list(body) == ["prediction"]
    assert all(list(found) == KEYS for found in body["prediction"])
    best = body["prediction"][0]
    assert best["objectClass"] == object_class
    assert best["probability"] > 0.99
    probabilities = [found["probability"] for found in body["prediction"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert min(probabilities) > 0.5
    width, height = photo_size(data)
    for found in body["prediction"]:
        assert all(isinstance(found[key], int) and found[key] >= 0 for key in ("x", "y", "width", "height"))
        assert found["x"] + found["width"] <= width
        assert found["y"] + found["height"] <= height


def photo_size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_body_is_compact_json_in_the_order_of_the_contract(post: Any) -> None:
    response = post(photos.real_photo("chelsea"))
    assert response.content == json.dumps(response.json(), separators=(",", ":")).encode()
    assert response.content.startswith(b'{"prediction":[{"objectClass":"cat","probability":0.99')


@pytest.mark.parametrize(
    ("photo_format", "kind"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("JPEG", "image/jpeg; charset=binary")]
)
def test_other_types_are_answered_too(photo_format: str, kind: str, post: Any) -> None:
    response = post(photos.real_photo("chelsea", photo_format), kind)
    assert response.status_code == 200
    assert response.json()["prediction"][0]["objectClass"] == "cat"


@pytest.mark.parametrize("path", ["/predict", "/api/predict"])
def test_form_with_a_photo_is_answered_and_its_name_kept(path: str, server: Server, chelsea: bytes) -> None:
    response = httpx.post(server.url + path, files={"image": ("100%25 cat.jpg", chelsea, "image/jpeg")})
    assert response.json()["prediction"][0]["objectClass"] == "cat"
    (kept,) = [one for one in history(server) if one["id"] == response.headers["X-Detection-Id"]]
    assert kept["photo"]["original_name"] == "100%25 cat.jpg"


def test_form_in_chunks_is_answered_like_one_of_known_length(server: Server, chelsea: bytes) -> None:
    whole = httpx.Request("POST", server.url, files={"image": ("cat.jpg", chelsea, "image/jpeg")})
    body = whole.read()
    parts = (body[start : start + 1000] for start in range(0, len(body), 1000))
    response = httpx.post(
        f"{server.url}/predict", content=parts, headers={"Content-Type": whole.headers["Content-Type"]}
    )
    assert response.request.headers["Transfer-Encoding"] == "chunked"
    assert response.json()["prediction"][0]["objectClass"] == "cat"


def test_photo_in_chunks_is_answered(server: Server, chelsea: bytes) -> None:
    parts = (chelsea[start : start + 1000] for start in range(0, len(chelsea), 1000))
    response = httpx.post(f"{server.url}/predict", content=parts, headers={"Content-Type": "image/jpeg"})
    assert response.json()["prediction"][0]["objectClass"] == "cat"


def test_headers_name_the_stored_detection_and_the_milliseconds(post: Any, server: Server, chelsea: bytes) -> None:
    response = post(chelsea, **{"X-File-Name": "my%20cat.jpg"})
    stages = [part.split(";")[0] for part in response.headers["Server-Timing"].split(", ")]
    assert stages == ["queue", "decode", "resize", "inference", "boxes", "record"]
    (kept,) = [one for one in history(server) if one["id"] == response.headers["X-Detection-Id"]]
    assert (kept["source"], kept["photo"]["original_name"]) == ("api", "my cat.jpg")
    reported = [{key: found[key] for key in KEYS} for found in kept["objects"] if found["reported"]]
    assert reported == response.json()["prediction"]


def test_threshold_moves_what_is_reported(post: Any) -> None:
    motorbikes = photos.real_photo("motorcycle_left")
    counts = [
        len(post(motorbikes, url=f"/predict?store=0&threshold={threshold}").json()["prediction"])
        for threshold in ("1", "0.5", "0.01")
    ]
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("store", ["0", "false"])
@pytest.mark.parametrize("form", [False, True], ids=["body", "form"])
def test_photo_that_is_not_to_be_kept_leaves_nothing(store: str, form: bool, server: Server, post: Any) -> None:
    before = (len(history(server)), files(server))
    data = photos.real_photo("chelsea", quality=71)
    url = f"/predict?store={store}"
    response = httpx.post(server.url + url, files={"image": data}) if form else post(data, url=url)
    assert response.status_code == 200
    assert "X-Detection-Id" not in response.headers
    assert (len(history(server)), files(server)) == before


@pytest.mark.parametrize(
    ("query", "fields", "count"),
    [
        pytest.param("", {"threshold": "1"}, 0, id="field"),
        pytest.param("?threshold=1", {"threshold": "0.01"}, 0, id="query before field"),
        pytest.param("", {"threshold": "0.5", "csrfmiddlewaretoken": "x"}, 1, id="field of Django's forms"),
    ],
)
def test_fields_of_a_form_are_wishes_like_those_of_the_query(
    query: str, fields: dict[str, str], count: int, server: Server, chelsea: bytes
) -> None:
    before = len(history(server))
    answer = httpx.post(
        f"{server.url}/predict{query}", files={"image": chelsea}, data={"store": "0", **fields}, timeout=60
    )
    assert (answer.status_code, len(answer.json()["prediction"])) == (200, count)
    assert "X-Detection-Id" not in answer.headers
    assert len(history(server)) == before


@pytest.mark.parametrize("form", [False, True], ids=["body", "form"])
@pytest.mark.parametrize(("tiles", "grid"), [("2", "2x2"), ("auto", "2x1")])
def test_tiles_are_looked_at_and_kept_with_the_detection(
    tiles: str, grid: str, form: bool, server: Server, chelsea: bytes
) -> None:
    if form:
        answer = httpx.post(f"{server.url}/api/predict", files={"image": chelsea}, data={"tiles": tiles}, timeout=60)
    else:
        kind = {"Content-Type": "image/jpeg"}
        answer = httpx.post(f"{server.url}/predict?tiles={tiles}", content=chelsea, headers=kind, timeout=60)
    assert answer.headers["X-Tiles"] == grid
    assert answer.json()["prediction"][0]["objectClass"] == "cat"
    stored = httpx.get(f"{server.url}/api/detections/{answer.headers['X-Detection-Id']}/").json()
    assert (stored["tiles"], stored["tile_grid"]) == (tiles, grid)


def test_without_tiles_the_answer_is_as_ever(server: Server, chelsea: bytes, post: Any) -> None:
    answers = [post(chelsea, url=f"/predict{query}") for query in ("", "?tiles=1")]
    assert answers[0].json() == answers[1].json()
    for answer in answers:
        assert "X-Tiles" not in answer.headers
        stored = httpx.get(f"{server.url}/api/detections/{answer.headers['X-Detection-Id']}/").json()
        assert (stored["tiles"], stored["tile_grid"]) == ("1", "")


def test_field_of_a_form_chooses_the_model(server: Server, chelsea: bytes) -> None:
    form: dict[str, Any] = {"files": {"image": chelsea}, "data": {"model": "nanodet_plus_m", "store": "false"}}
    answer = httpx.post(f"{server.url}/predict", timeout=60, **form)
    assert answer.headers["X-Model"].startswith("nanodet_plus_m@")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"threshold": "high"}, 400, "threshold is 'high'"),
        ({"store": "no"}, 400, "store is 'no'"),
        ({"tiles": "9"}, 400, "tiles is '9'; set it to one of 1, 2, 3, auto"),
        ({"model": "none"}, 404, "There is no model 'none'."),
    ],
)
def test_field_of_a_form_that_cannot_be_used_is_told(
    fields: dict[str, str], status: int, words: str, server: Server, chelsea: bytes
) -> None:
    answer = httpx.post(f"{server.url}/predict", files={"image": chelsea}, data=fields)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True)


def test_form_with_two_photos_is_refused_with_a_sentence(server: Server, chelsea: bytes) -> None:
    before = (len(history(server)), files(server))
    answer = httpx.post(
        f"{server.url}/predict", files=[("image", ("a.jpg", chelsea)), ("image", ("b.jpg", chelsea + b"\0"))]
    )
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "error": "The form has 2 files in its field `image`, and one photo is answered. "
            "Send each in a request of its own, or many as a batch to /api/batches/."
        },
    )
    assert (len(history(server)), files(server)) == before


@pytest.mark.parametrize("accept", ["image/jpeg", "text/html", "application/json"])
def test_what_the_caller_accepts_changes_nothing(accept: str, server: Server, chelsea: bytes) -> None:
    response = httpx.post(f"{server.url}/predict?store=0", files={"image": chelsea}, headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/predict", "/api/predict"])
def test_other_methods_are_refused_with_those_that_work(method: str, path: str, server: Server) -> None:
    response = httpx.request(method, server.url + path)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")
    if method != "HEAD":
        assert response.json() == {"error": f"{method} is not possible at this address. Use POST, OPTIONS."}


@pytest.mark.parametrize("path", ["/predict/", "/api/predict/"])
@pytest.mark.parametrize("as_form", [False, True], ids=["body", "form"])
def test_a_slash_at_the_end_changes_nothing(path: str, as_form: bool, server: Server, chelsea: bytes) -> None:
    sent: dict[str, Any] = (
        {"files": {"image": chelsea}} if as_form else {"content": chelsea, "headers": {"Content-Type": "image/jpeg"}}
    )
    plain, slashed = (httpx.post(f"{server.url}{each}?store=0", **sent) for each in (path.rstrip("/"), path))
    assert (slashed.status_code, slashed.json()) == (200, plain.json())


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/batches", "GET, POST, HEAD, OPTIONS"),
        ("/api/detections", "GET, HEAD, OPTIONS"),
        ("/api/model/", "GET, HEAD, OPTIONS"),
        ("/v2/health/ready/", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_addresses_do_not_depend_on_their_slash(path: str, allowed: str, server: Server) -> None:
    answer = httpx.put(server.url + path, content=b"{}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert httpx.get(f"{server.url}/healthz/").json() == {"status": "ok"}


@pytest.mark.parametrize("name", ["treshold", "Store", "stor", "keep"])
def test_an_unknown_parameter_is_refused_with_those_that_are_known(name: str, server: Server, chelsea: bytes) -> None:
    before = len(history(server)), files(server)
    answers = [
        httpx.post(f"{server.url}/predict?{name}=0", content=chelsea, headers={"Content-Type": "image/jpeg"}),
        httpx.post(f"{server.url}/predict?{name}=0", files={"image": chelsea}),
        httpx.post(f"{server.url}/api/predict", files={"image": chelsea}, data={name: "0"}),
        httpx.post(f"{server.url}/api/predict", files={"image": chelsea, name: chelsea}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 4
    for answer in answers:
        assert f"There is no parameter '{name}' here. Use " in answer.json()["error"]
        assert "threshold" in answer.json()["error"]
    assert (len(history(server)), files(server)) == before


def test_options_tell_how_to_use_it(server: Server) -> None:
    response = httpx.options(f"{server.url}/predict")
    assert (response.status_code, response.headers["Allow"]) == (200, "POST, OPTIONS")


@pytest.mark.parametrize("path", ["/api/", "/api/none", "/api/predict/x", "/api/detections/none/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_address_below_api_is_answered_in_json(method: str, path: str, server: Server) -> None:
    response = httpx.request(method, server.url + path)
    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/json")
    assert response.json() == {"error": "There is nothing under this address: it was deleted, or the id is wrong."}


@pytest.mark.parametrize("path", ["/predict", "/api/model", "/api/none"])
def test_unknown_host_is_told_in_json_what_to_do(path: str, server: Server, chelsea: bytes) -> None:
    headers = {"Host": "evil.example", "Content-Type": "image/jpeg"}
    response = httpx.post(server.url + path, content=chelsea, headers=headers)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")
    assert response.json() == {
        "error": "This server does not answer under that host name. Use its own, or add this one to ALLOWED_HOSTS."
    }


def test_people_get_pages_where_programs_get_json(server: Server) -> None:
    unknown = httpx.get(f"{server.url}/none")
    assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    host = httpx.get(f"{server.url}/", headers={"Host": "evil.example"})
    assert (host.status_code, host.headers["Content-Type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("method", "accept", "is_page"),
    [
        pytest.param("POST", "*/*", False, id="POST of a program"),
        pytest.param("POST", "application/json", False, id="POST that wants JSON"),
        pytest.param("POST", "application/json, text/html;q=0.9", False, id="POST that prefers JSON"),
        pytest.param("POST", "text/html,application/xml;q=0.9,*/*;q=0.8", True, id="POST of a browser"),
        pytest.param("DELETE", "*/*", False, id="DELETE"),
        pytest.param("GET", "application/json", False, id="GET that wants JSON"),
        pytest.param("GET", "image/png", False, id="GET that wants no page"),
        pytest.param("GET", "*/*", True, id="GET of anything"),
        pytest.param("GET", "text/html,*/*;q=0.8", True, id="GET of a browser"),
    ],
)
@pytest.mark.parametrize("path", ["/predict/x", "/none", "/history/none", "/detect"])
def test_unknown_address_is_answered_as_its_caller_reads(
    method: str, accept: str, is_page: bool, path: str, server: Server
) -> None:
    answer = httpx.request(method, server.url + path, headers={"Accept": accept})
    kind = "text/html; charset=utf-8" if is_page else "application/json"
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, kind)
    if not is_page:
        assert answer.json() == {"error": "There is nothing under this address: it was deleted, or the id is wrong."}


@pytest.mark.parametrize("path", ["/v2/more", "/v2/none", "/v2/models/none/other"])
def test_unknown_address_of_the_inference_protocol_is_answered_in_json(path: str, server: Server) -> None:
    answer = httpx.get(server.url + path, headers={"Accept": "text/html", "Accept-Language": "ru"})
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_nothing_of_all_this_was_a_mistake_of_ours(server: Server) -> None:
    assert httpx.post(f"{server.url}/predict", content=b"", headers={"Content-Type": "image/jpeg"}).status_code == 400
    assert "Warning:" not in server.output
    assert "failed" not in server.output


def test_entry_point_of_the_environment_is_served_beside_the_one_of_the_api(tmp_path: Path, chelsea: bytes) -> None:
    with running_server({"DATA_DIR": str(tmp_path), "REST_ENTRY_POINT": "/v1/detect"}) as server:
        statuses = {
            path: httpx.post(server.url + path, content=chelsea, headers={"Content-Type": "image/jpeg"}).status_code
            for path in ("/v1/detect", "/api/predict", "/predict")
        }
        form = httpx.post(f"{server.url}/v1/detect", files={"image": chelsea})
    assert statuses == {"/v1/detect": 200, "/api/predict": 200, "/predict": 404}
    assert form.json()["prediction"][0]["objectClass"] == "cat"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("name", ["chelsea", "motorcycle_left"])
def test_both_ways_to_the_service_answer_the_same_bytes(name: str, post: Any, client: Client) -> None:
    data = photos.real_photo(name)
    through_django = client.post("/predict?threshold=0.05", data, content_type="image/jpeg")
    form = client.post("/api/predict?threshold=0.05", {"image": SimpleUploadedFile("a.jpg", data)})
    assert through_django.status_code == 200
    assert through_django.content == form.content == post(data, url="/predict?threshold=0.05").content
    assert through_django["Content-Type"] == "application/json"
    assert stored_rows()[:2] == (2, 2)
    assert Detection.objects.filter(uuid=through_django["X-Detection-Id"]).exists()
