"""Redis goes and comes back: photos are detected all the while, and pages that look on are told again."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.faults.databases import Database
from tests.faults.load import CLIENTS, Load
from tests.faults.own_servers import OwnRedis, own_redis
from tests.faults.truth import Sent, check, photo
from tests.support.serving import Server, running_server

WAIT_S = 60
JPEG = {"Content-Type": "image/jpeg"}
GONE, BACK = "Redis does not answer", "Redis answers again."
ROUNDS = 3


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder) as running:
        yield running


@pytest.fixture
def server(redis: OwnRedis, tmp_path: Path) -> Iterator[Server]:
    with running_server({"DATA_DIR": str(tmp_path / "data"), "REDIS_URL": redis.url}) as running:
        yield running


def follow(server: Server, batch: str) -> ClientConnection:
    return connect(f"{server.url.replace('http:', 'ws:')}/ws/batches/{batch}", open_timeout=WAIT_S, proxy=None)


def follow_again(server: Server, batch: str) -> ClientConnection:
    """As the page does: again, until somebody answers."""
    while True:
        with contextlib.suppress(InvalidStatus):
            return follow(server, batch)


def news_of(client: ClientConnection) -> Iterator[dict[str, Any]]:
    while True:
        yield json.loads(client.recv(WAIT_S))


def hear(client: ClientConnection, position: int) -> None:
    """Wait until it is told that a photo is done."""
    assert any((each["position"], each["state"]) == (position, "done") for each in news_of(client))


def lines_with(server: Server, text: str) -> int:
    return sum(text in line for line in server.lines)


def test_redis_that_goes_and_comes_back(redis: OwnRedis, server: Server, tmp_path: Path) -> None:
    sent = Sent()
    load = Load(server, sent, itertools.count(1000))
    with httpx.Client(base_url=server.url, timeout=WAIT_S, trust_env=False) as client:
        listed = [{"name": f"{number}.jpg", "size_bytes": 1} for number in range(2 * ROUNDS)]
        batch = client.post("/api/batches/", json={"photos": listed}).json()["id"]

        def send(position: int) -> None:
            answer = client.post(f"/api/batches/{batch}/photos/{position}", content=photo(position), headers=JPEG)
            assert answer.is_success, answer.text

        for turn in range(ROUNDS):
            with follow_again(server, batch) as page:
                send(2 * turn)
                hear(page, 2 * turn)
                redis.stop()
                with pytest.raises(ConnectionClosed) as closed:
                    for _ in news_of(page):
                        pass
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            with pytest.raises(InvalidStatus) as refused:
                follow(server, batch)
            assert refused.value.response.status_code == 503
            assert b"Redis does not answer" in refused.value.response.body
            # Nothing that was promised depends on it.
            send(2 * turn + 1)
            load.wait_for_more(CLIENTS)
            assert client.get("/readyz").status_code == 200
            assert lines_with(server, GONE) == turn + 1
            redis.start()
        with follow_again(server, batch):
            assert lines_with(server, BACK) == ROUNDS
        states = [item["state"] for item in client.get(f"/api/batches/{batch}/").json()["items"]]
    assert states == ["done"] * 2 * ROUNDS
    assert "Traceback" not in server.output
    server.process.kill()
    server.process.wait()
    load.join()
    assert sent.refused == []
    check(Database("", tmp_path / "data"), sent.answered)


def test_sockets_that_need_no_redis_go_on_without_it(redis: OwnRedis, server: Server) -> None:
    address = server.url.replace("http:", "ws:")
    paths = ("/ws/predict?store=0", "/ws/live")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(address + path, open_timeout=WAIT_S, proxy=None)) for path in paths]
        redis.stop()
        clients += [stack.enter_context(connect(address + path, open_timeout=WAIT_S, proxy=None)) for path in paths]
        for client in clients:
            client.send(photo(1))
            assert "prediction" in json.loads(client.recv(WAIT_S))
    assert "Traceback" not in server.output


def test_redis_that_hangs_keeps_nobody_from_an_answer(redis: OwnRedis, server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=WAIT_S, trust_env=False) as client:
        batch = client.post("/api/batches/", json={"photos": [{"name": "a.jpg", "size_bytes": 1}]}).json()["id"]
        with redis.hanging():
            answer = client.post(f"/api/batches/{batch}/photos/0", content=photo(0), headers=JPEG)
            assert answer.is_success, answer.text
            assert client.post("/predict", content=photo(1), headers=JPEG).status_code == 200
            assert lines_with(server, GONE) == 1
        with follow_again(server, batch):
            assert lines_with(server, BACK) == 1
    assert "Traceback" not in server.output
