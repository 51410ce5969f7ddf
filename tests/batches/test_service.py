"""Batches: listed, sent one by one, and every photo of them accounted for."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import httpx
import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from redis import Redis
from redis.exceptions import RedisError
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from detection.batches import service as batches
from detection.batches.states import ListedPhoto
from detection.errors import FAILED, DetectionTimeoutError
from detection.history import deletion, recorder
from detection.inference.errors import OverloadedError
from detection.models import Batch, BatchItem, Detection
from tests.support.builders import stored_detection, stored_rows
from tests.support.serving import Server, running_server

WAIT_S = 60
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


def new_batch(*names: str, **fields: Any) -> Batch:
    return batches.create(
        fields.get("name", ""),
        fields.get("threshold"),
        [ListedPhoto(name, fields.get("size", 1000)) for name in names],
        tiles=fields.get("tiles", ""),
    )


def send(batch: Batch, position: int, data: bytes, content_type: str = "image/jpeg", query: str = "") -> Any:
    return Client(raise_request_exception=False).post(
        f"/api/batches/{batch.uuid}/photos/{position}{query}", data, content_type=content_type
    )


def states(batch: Batch) -> list[str]:
    return [item.state for item in batch.items.all()]


@pytest.mark.django_db
def test_list_of_photos_becomes_a_batch_that_waits_for_their_files(client: Client) -> None:
    photos = [{"name": "holiday/a.jpg", "size_bytes": 10}, {"name": "holiday/b.jpg", "size_bytes": 20}]
    response = client.post("/api/batches/", {"name": "holiday", "photos": photos}, content_type="application/json")
    body = response.json()
    batch = Batch.objects.get()
    assert response.status_code == 201
    assert (body["id"], body["name"], body["threshold"]) == (str(batch.uuid), "holiday", 0.5)
    assert body["page_url"] == f"http://testserver/batches/{batch.uuid}/"
    assert body["totals"] == {"photos": 2, "done": 0, "failed": 0, "waiting": 2, "objects": {}}
    assert [(item["position"], item["name"], item["size_bytes"], item["state"]) for item in body["items"]] == [
        (0, "holiday/a.jpg", 10, "waiting"),
        (1, "holiday/b.jpg", 20, "waiting"),
    ]
    assert client.get(f"/api/batches/{batch.uuid}/").json() == body


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("model")
def test_all_photos_of_a_batch_are_looked_at_in_its_tiles(client: Client, chelsea: bytes) -> None:
    listed = {"photos": [{"name": "a.jpg", "size_bytes": 10}], "tiles": "auto"}
    body = client.post("/api/batches/", listed, content_type="application/json").json()
    assert body["tiles"] == "auto"
    assert send(Batch.objects.get(), 0, chelsea).status_code == 200
    assert Detection.objects.get().tile_grid == "2x1"
    assert "tiles: by the photo" in client.get(f"/batches/{body['id']}/").content.decode()
    assert client.post("/api/batches/", {**listed, "tiles": "9"}, content_type="application/json").status_code == 400


@pytest.mark.django_db
def test_batch_without_a_name_is_called_by_its_size_and_names_are_plain_text(client: Client) -> None:
    photos = [{"name": "a\u202eb\x07" + "x" * 300, "size_bytes": 10}]
    client.post("/api/batches/", {"photos": photos}, content_type="application/json")
    assert Batch.objects.get().name == "1 photos"
    assert BatchItem.objects.get().name == "a\ufffdb\ufffd" + "x" * 251


@pytest.mark.django_db
def test_photo_over_the_limit_has_failed_before_it_is_sent(limits: Any) -> None:
    limits(max_body_bytes=1_000_000)
    batch = batches.create("", None, [ListedPhoto("small.jpg", 1_000_000), ListedPhoto("large.jpg", 1_000_001)])
    assert [(item.state, item.error) for item in batch.items.all()] == [
        ("waiting", ""),
        ("failed", "The body is too large: at most 1,000,000 bytes are accepted. Send a smaller photo."),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({}, "photos: This field is required.", id="no list"),
        pytest.param({"photos": []}, "photos: This list may not be empty.", id="empty list"),
        pytest.param(
            {"photos": [{"name": "a", "size_bytes": 1}, {"name": "b"}]},
            "photos: 1: size_bytes: This field is required.",
            id="second photo without a size",
        ),
        pytest.param(
            {"photos": [{"name": "a", "size_bytes": -1}]},
            "photos: 0: size_bytes: Ensure this value is greater than or equal to 0.",
            id="negative size",
        ),
        pytest.param(
            {"photos": [{"name": "a", "size_bytes": 1}], "threshold": 2},
            "threshold: Ensure this value is less than or equal to 1.0.",
            id="threshold above 1",
        ),
        pytest.param(
            {"photos": [{"name": "a", "size_bytes": 1}], "threshold": "nan"},
            "threshold: A valid number is required.",
            id="threshold that is no number",
        ),
        pytest.param(
            {"photos": [{"name": "a", "size_bytes": 1}] * 2001},
            "photos: A batch has at most 2,000 photos. Send them in parts.",
            id="too many",
        ),
    ],
)
def test_list_that_cannot_be_used_is_refused_with_a_sentence(client: Client, body: Any, sentence: str) -> None:
    response = client.post("/api/batches/", body, content_type="application/json")
    assert (response.status_code, response.json()) == (400, {"error": sentence})
    assert not Batch.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "start"),
    [
        pytest.param("store=0", "The photos of a batch are kept. Leave `store` out", id="not to be kept"),
        pytest.param("store=maybe", "store is 'maybe'; set it to one of", id="no answer to store"),
        pytest.param("threshold=0.2", "The batch has one threshold for all of its photos.", id="another threshold"),
        pytest.param("tiles=2", "The batch has one choice of tiles for all of its photos.", id="other tiles"),
        pytest.param("model=other", "The batch has one model for all of its photos.", id="another model"),
        pytest.param("source=moon", "source is 'moon'; set it to one of", id="unknown source"),
    ],
)
def test_option_that_a_batch_cannot_follow_is_refused(query: str, start: str, chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    answer = send(batch, 0, chelsea, query=f"?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(start)
    assert states(batch) == ["waiting"]


@pytest.mark.django_db(transaction=True)
def test_options_that_agree_with_the_batch_are_taken(model: None, chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    assert send(batch, 0, chelsea, query="?store=1&source=page").status_code == 200
    assert Detection.objects.get().source == "page"


@pytest.mark.django_db(transaction=True)
def test_sent_photo_is_done_with_its_detection(chelsea: bytes) -> None:
    batch = new_batch("holiday/cat.jpg", "b.jpg", threshold=0.25)
    response = send(batch, 0, chelsea, query="?source=page")
    detection = Detection.objects.get()
    body = response.json()
    assert response.status_code == 200
    assert response["X-Detection-Id"] == body["detection"] == str(detection.uuid)
    assert [found["objectClass"] for found in body["prediction"]] == ["cat"]
    assert (body["state"], body["summary"], body["objects"]) == ("done", "cat", {"cat": 1})
    assert (detection.source, detection.threshold) == ("page", 0.25)
    assert detection.photo.original_name == "holiday/cat.jpg"
    item = batch.items.get(position=0)
    assert (item.detection, item.sha256) == (detection, detection.photo.sha256)
    assert states(batch) == ["done", "waiting"]
    assert Client().get(f"/api/detections/?batch={batch.uuid}").json()["results"][0]["id"] == str(detection.uuid)


@pytest.mark.django_db(transaction=True)
def test_photo_that_is_sent_again_gets_the_stored_answer(chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    first = send(batch, 0, chelsea)
    again = send(batch, 0, b"whatever comes now")
    assert (again.status_code, again.json()) == (200, first.json())
    assert stored_rows()[1] == 1


@pytest.mark.django_db(transaction=True)
def test_answer_of_a_deleted_detection_says_so(chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    send(batch, 0, chelsea)
    deletion.delete_detection(Detection.objects.get())
    again = send(batch, 0, chelsea).json()
    assert (again["state"], again["summary"], again["detection"]) == ("done", "The detection was deleted.", None)
    assert stored_rows() == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_bad_photo_has_failed_with_the_reason_and_can_be_sent_again(chelsea: bytes) -> None:
    batch = new_batch("cat.jpg", "other.jpg")
    response = send(batch, 0, chelsea[:2000])
    sentence = response.json()["error"]
    item = batch.items.get(position=0)
    assert response.status_code == 400
    assert (item.state, item.error) == ("failed", sentence)
    assert Client().get(f"/api/batches/{batch.uuid}/").json()["items"][0]["error"] == sentence
    assert send(batch, 0, chelsea).status_code == 200
    item.refresh_from_db()
    assert (item.state, item.error) == ("done", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status", "state", "reason"),
    [
        pytest.param(OverloadedError("Full."), 503, "waiting", "", id="overloaded"),
        pytest.param(DetectionTimeoutError("Slow."), 503, "waiting", "", id="timeout"),
        pytest.param(RuntimeError("a bug"), 500, "failed", FAILED, id="a bug"),
    ],
)
def test_photo_waits_when_the_server_is_busy_and_fails_when_it_fails(
    error: Exception, status: int, state: str, reason: str
) -> None:
    batch = new_batch("cat.jpg")
    with mock.patch("detection.predict.service.detect", side_effect=error):
        response = send(batch, 0, b"photo")
    item = batch.items.get()
    assert (response.status_code, item.state, item.error) == (status, state, reason)
    assert ("Retry-After" in response) == (status == 503)


@pytest.mark.django_db(transaction=True)
def test_item_and_detection_are_written_together_or_not_at_all(
    chelsea: bytes, stored_files: Callable[[], list[str]]
) -> None:
    batch = new_batch("cat.jpg")
    with mock.patch.object(recorder, "_finish_item", side_effect=DatabaseError("killed here")):
        response = send(batch, 0, chelsea)
    assert response.status_code == 503
    assert (states(batch), stored_rows(), stored_files()) == (["waiting"], (0, 0, 0), [])


@pytest.mark.django_db
def test_unknown_batch_photo_and_type_are_refused(chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    unknown = Batch(uuid=uuid4())
    answers = {
        "batch": send(unknown, 0, chelsea),
        "position": send(batch, 1, chelsea),
        "type": send(batch, 0, b"text", "text/plain"),
        "list": Client().get(f"/api/batches/{unknown.uuid}/"),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "batch": 404,
        "position": 404,
        "type": 400,
        "list": 404,
    }
    assert answers["type"].json() == {"error": "Invalid content"}
    assert states(batch) == ["waiting"]


@pytest.mark.django_db
def test_totals_count_reported_objects_and_queries_do_not_grow() -> None:
    batch = new_batch(*(f"{number}.jpg" for number in range(12)))

    def finish(position: int) -> None:
        detection = stored_detection(("dog", 0.9), ("cat", 0.8), ("dog", 0.7), ("sheep", 0.2))
        batch.items.filter(position=position).update(state="done", detection=detection)

    finish(0)
    with CaptureQueriesContext(
        connection,
    ) as one:
        state = batches.states_of(batch)[0]
    assert (state.counts, state.summary) == ({"dog": 2, "cat": 1}, "2 \N{MULTIPLICATION SIGN} dog, cat")
    for position in range(1, 10):
        finish(position)
    with CaptureQueriesContext(connection) as ten:
        totals = batches.totals_of(batches.states_of(batch))
    assert (totals.photos, totals.done, totals.waiting, totals.objects) == (12, 10, 2, {"dog": 20, "cat": 10})
    assert len(ten) == len(one) == 2


@pytest.mark.django_db
def test_pages_of_batches_show_how_they_stand(client: Client) -> None:
    batch = new_batch("trip/a.jpg", "trip/b.jpg", name="trip")
    batch.items.filter(position=0).update(state="failed", error="The photo is empty.")
    detection = stored_detection(("cat", 0.9))
    batch.items.filter(position=1).update(state="done", detection=detection)
    listed = client.get("/batches/").content.decode()
    page = client.get(f"/batches/{batch.uuid}/").content.decode()
    assert f'<a href="/batches/{batch.uuid}/">trip</a>' in listed
    assert page.count("data-item ") == 2
    assert "The photo is empty." in page
    assert f'href="/detections/{detection.uuid}/"' in page
    assert f'href="/history/?class=cat&amp;batch={batch.uuid}">cat <b>1</b></a></li>' in page
    assert f'<input type="hidden" name="batch" value="{batch.uuid}">' in page
    assert client.get(f"/batches/{uuid4()}/").status_code == 404


@pytest.mark.django_db
def test_list_of_batches_says_what_to_do_when_it_is_empty_and_has_pages(client: Client) -> None:
    assert "No batch yet" in client.get("/batches/").content.decode()
    for number in range(51):
        new_batch("a.jpg", name=f"batch {number}")
    first, second = client.get("/batches/"), client.get("/batches/?page=2")
    assert [row.batch.name for row in second.context["rows"]] == ["batch 0"]
    assert 'rel="next"' in first.content.decode()
    assert 'rel="prev"' in second.content.decode()


@pytest.mark.django_db
def test_history_and_its_filters_can_be_downloaded(client: Client) -> None:
    stored_detection(("cat", 0.9))
    page = client.get("/history/?class=cat&date_from=").content.decode()
    assert 'action="/api/export"' in page
    assert '<input type="hidden" name="class" value="cat">' in page
    assert 'name="date_from" value=""><input' not in page


@pytest.mark.django_db(transaction=True)
def test_announcement_that_fails_does_not_harm_the_photo(chelsea: bytes) -> None:
    batch = new_batch("cat.jpg")
    with mock.patch("channels.layers.InMemoryChannelLayer.group_send", side_effect=RedisError("away")):
        assert send(batch, 0, chelsea).status_code == 200
    assert states(batch) == ["done"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("batches"))}) as running:
        yield running


def make_batch(server: Server, *names: str) -> Any:
    photos = [{"name": name, "size_bytes": 1000} for name in names]
    return httpx.post(f"{server.url}/api/batches/", json={"photos": photos}).raise_for_status().json()


def post_photo(server: Server, batch: Any, position: int, data: bytes) -> httpx.Response:
    url = f"{server.url}/api/batches/{batch['id']}/photos/{position}"
    return httpx.post(url, content=data, headers={"Content-Type": "image/jpeg"}, timeout=WAIT_S)


def items_of(server: Server, batch: Any) -> list[str]:
    listed = httpx.get(f"{server.url}/api/batches/{batch['id']}/").json()["items"]
    return [item["state"] for item in listed]


def follow(server: Server, batch_id: str | UUID) -> ClientConnection:
    address = f"{server.url.replace('http:', 'ws:')}/ws/batches/{batch_id}"
    return connect(address, open_timeout=WAIT_S, proxy=None)


def next_news(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(WAIT_S))


def test_every_open_page_hears_of_each_photo(server: Server, chelsea: bytes) -> None:
    batch, other = make_batch(server, "a.jpg", "b.jpg"), make_batch(server, "c.jpg")
    with follow(server, batch["id"]) as one, follow(server, batch["id"]) as two:
        done = post_photo(server, batch, 1, chelsea).json()
        post_photo(server, other, 0, chelsea)
        post_photo(server, batch, 0, b"no photo")
        heard = [[next_news(socket) for _ in range(4)] for socket in (one, two)]
    assert heard[0] == heard[1]
    assert [(news["position"], news["state"]) for news in heard[0]] == [
        (1, "detecting"),
        (1, "done"),
        (0, "detecting"),
        (0, "failed"),
    ]
    assert heard[0][1] == {name: value for name, value in done.items() if name != "prediction"}


@pytest.mark.parametrize("batch_id", ["not-an-id", "00000000-0000-4000-8000-000000000000"])
def test_socket_of_no_batch_is_closed_with_a_sentence(server: Server, batch_id: str) -> None:
    with follow(server, batch_id) as socket:
        assert next_news(socket)["error"].startswith("There is nothing under this address")
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_after_a_kill_what_was_answered_is_done_and_the_rest_waits(tmp_path: Path, chelsea: bytes) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    with running_server(settings) as first:
        batch = make_batch(first, "a.jpg", "b.jpg", "c.jpg")
        post_photo(first, batch, 0, chelsea)
        post_photo(first, batch, 2, b"no photo")
        first.stop(signal.SIGKILL)
    with running_server(settings) as second:
        assert items_of(second, batch) == ["done", "waiting", "failed"]
        assert post_photo(second, batch, 1, chelsea).status_code == 200
        assert items_of(second, batch) == ["done", "done", "failed"]


def test_pages_at_another_process_hear_it_through_redis(tmp_path: Path, chelsea: bytes) -> None:
    try:
        Redis.from_url(REDIS_URL).ping()
    except RedisError:
        pytest.skip(f"no Redis answers at {REDIS_URL}")
    settings = {"DATA_DIR": str(tmp_path), "REDIS_URL": REDIS_URL}
    with running_server(settings) as one, running_server(settings) as other:
        batch = make_batch(one, "a.jpg")
        with follow(other, batch["id"]) as socket:
            post_photo(one, batch, 0, chelsea)
            assert [next_news(socket)["state"] for _ in range(2)] == ["detecting", "done"]
