"""Operating points change back and forth under load: no request fails, and each row names the point that answered.

POINT_CHANGES=50 makes as many changes.
"""

import os
import sqlite3
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.test_model_changes import REPOSITORY
from tests.support import photos
from tests.support.serving import Server, running_server, server_environment

CHANGES = int(os.environ.get("POINT_CHANGES", "6"))
CLIENTS = 8
THRESHOLDS = {"low@1": 0.2, "high@1": 0.75}
# Makes a point for each line of NAME THRESHOLD, and after an empty one activates the point of each line.
OPERATOR = """
import sys, django
django.setup()
from detection.learning import points
from detection.models import OperatingPoint
from detection.registry import catalogue
model = catalogue.default_model()
made = {}
for line in iter(sys.stdin.readline, "\\n"):
    name, threshold = line.split()
    made[name] = OperatingPoint.objects.create(
        model_name=model[0], model_version=model[1], name=name.partition("@")[0], number=1, goal="f1", source="made",
        threshold=float(threshold),
    )
for line in iter(sys.stdin.readline, ""):
    points.activate(made[line.strip()])
    print(line.strip(), flush=True)
"""


def activate(server: Server, process: "subprocess.Popen[str]", name: str) -> None:
    """Activate a point and wait until it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() == name
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while client.get("/api/model").json()["operating_point"] != name:
            assert server.process.poll() is None


def send(client: httpx.Client, photo: bytes) -> tuple[int, str, tuple[float, ...]]:
    answer = client.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"})
    probabilities = tuple(found["probability"] for found in answer.json().get("prediction", []))
    return answer.status_code, answer.headers.get("X-Detection-Id", ""), probabilities


@pytest.mark.timeout(300 + 10 * CHANGES)
def test_changes_under_load_fail_no_request_and_each_row_names_its_point(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    photo = photos.real_photo("motorcycle_left")
    done = threading.Event()

    def client(server: Server) -> list[tuple[int, str, tuple[float, ...]]]:
        seen = []
        with httpx.Client(base_url=server.url, timeout=60) as asking:
            while not done.is_set():
                seen.append(send(asking, photo))
        return seen

    environment = {**server_environment(settings), "DJANGO_SETTINGS_MODULE": "detector_site.settings"}
    with running_server(settings) as server:
        operator = subprocess.Popen(
            [sys.executable, "-c", OPERATOR],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert operator.stdin is not None
        operator.stdin.write("".join(f"{name} {threshold}\n" for name, threshold in THRESHOLDS.items()) + "\n")
        activate(server, operator, "low@1")
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(client, server) for _ in range(CLIENTS)]
            try:
                for number in range(CHANGES):
                    activate(server, operator, ("high@1", "low@1")[number % 2])
            finally:
                done.set()
                operator.communicate()
            seen = [each for one in clients for each in one.result()]
    print(f"{CHANGES} changes, {len(seen)} answers")  # noqa: T201
    assert {status for status, _, _ in seen} == {200}
    kept = points_of_rows(tmp_path)
    assert {kept[detection] for _, detection, _ in seen} == set(THRESHOLDS)
    for _, detection, probabilities in seen:
        assert all(probability > THRESHOLDS[kept[detection]] for probability in probabilities)
    # The two report different objects in this photo.
    assert len({len(probabilities) for _, _, probabilities in seen}) == len(THRESHOLDS)


def points_of_rows(data_dir: Path) -> dict[str, str]:
    """NAME@NUMBER of the point by the id of a detection."""
    database = sqlite3.connect(data_dir / "detector.sqlite3")
    try:
        asked = database.execute(
            "SELECT uuid, point.name, point.number FROM detection_detection AS made "
            "JOIN detection_operatingpoint AS point ON point.id = made.point_id"
        )
        return {str(uuid.UUID(one)): f"{name}@{number}" for one, name, number in asked.fetchall()}
    finally:
        database.close()
