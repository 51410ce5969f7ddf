"""The shadow model: recorded, never answered, and in nobody's way."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.checks import run_checks
from django.db import OperationalError
from django.test import Client

from detection.conf import ShadowModel
from detection.history import deletion
from detection.models import Detection, ShadowRun
from detection.observability import metrics
from detection.predict import service as predict_service
from detection.serving import service as serving
from detection.shadow import service as shadow
from detection.shadow.service import MAX_WAITING, Shadow, shadowing
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model
from tests.support.accounts import account
from tests.support.serving import running_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("model")]


def outcomes() -> dict[str, float]:
    return {
        name: metrics.registry.get_sample_value("detector_shadow_photos_total", {"outcome": name}) or 0.0
        for name in ("compared", "dropped", "failed")
    }


@contextmanager
def counted() -> Iterator[dict[str, float]]:
    """What has become of photos within the block, known at its end."""
    before, found = outcomes(), dict[str, float]()
    yield found
    found.update({name: count - before[name] for name, count in outcomes().items() if count != before[name]})


@pytest.fixture
def looking(limits: Any, tmp_path: Path) -> Iterator[Shadow]:
    """A model that finds a cat where there is one, and a dog that nobody sees, looks at every photo."""
    write_candidate(tmp_path)
    limits(data_dir=tmp_path, shadow=ShadowModel("candidate", 1.0))
    with shadowing() as running:
        assert running is not None
        yield running


def write_candidate(data_dir: Path, **card: Any) -> None:
    keys = {"classes": ["cat", "dog"], **card}
    write_model(data_dir / "models" / "candidate", constant_network(nanodet_outputs(1)), keys)


def detect(photo: bytes, **fields: Any) -> predict_service.DetectionResult:
    return predict_service.detect(predict_service.Upload(photo, fields.pop("source", "api"), **fields))


def test_answers_are_those_of_the_real_model_and_the_candidate_is_recorded(looking: Shadow, chelsea: bytes) -> None:
    with counted() as became:
        answer = detect(chelsea)
        looking.join()
    assert became == {"compared": 1}
    assert (answer.model, [found.class_name for found in answer.objects]) == ("mobilenet_ssd_voc", ["cat"])
    run = ShadowRun.objects.get()
    assert (run.detection.uuid, run.model_name, run.model_version) == (answer.detection_uuid, "candidate", "1.0")
    assert [found["class"] for found in run.objects_found] == ["dog"]
    assert run.disagreements == 2
    counts = {each.class_name: (each.matched, each.only_answer, each.only_candidate) for each in run.counts.all()}
    assert counts == {"cat": (0, 1, 0), "dog": (0, 0, 1)}
    deletion.delete_detection(run.detection)
    assert ShadowRun.objects.count() == 0


def test_what_nobody_keeps_or_waits_for_is_not_looked_at(looking: Shadow, chelsea: bytes) -> None:
    with counted() as became:
        detect(chelsea, store=False)
        detect(chelsea, source=Detection.Source.COMMAND)
        looking.join()
    assert (became, ShadowRun.objects.count()) == ({}, 0)


def test_the_threshold_of_the_caller_counts_for_both(looking: Shadow, chelsea: bytes) -> None:
    detect(chelsea, threshold=0.99999)
    looking.join()
    run = ShadowRun.objects.get()
    assert (run.threshold, run.objects_found, run.disagreements) == (0.99999, [], 0)


def test_a_share_of_the_photos_is_looked_at(limits: Any, tmp_path: Path, chelsea: bytes) -> None:
    write_candidate(tmp_path)
    limits(data_dir=tmp_path, shadow=ShadowModel("candidate"))
    numbers = iter([0.1, 0.29, 0.3, 0.9])
    running = Shadow(0.3, lambda: next(numbers))
    predict_service.listen(running.offer)
    for _ in range(4):
        detect(chelsea)
    running.join()
    predict_service.listen(None)
    running.stop()
    assert ShadowRun.objects.count() == 2


def test_a_busy_machine_drops_photos_and_answers_them(
    looking: Shadow, chelsea: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "has_a_free_worker", lambda: False)
    with counted() as became:
        detect(chelsea)
        looking.join()
    assert (became, ShadowRun.objects.count(), Detection.objects.count()) == ({"dropped": 1}, 0, 1)


def test_a_full_queue_drops_photos_and_delays_nobody(
    looking: Shadow, chelsea: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun = threading.Event(), threading.Event()

    def hold(*_: Any) -> str:
        begun.set()
        assert held.wait(60)
        return "compared"

    monkeypatch.setattr(shadow, "_outcome", hold)
    with counted() as became:
        detect(chelsea)
        assert begun.wait(60)
        for _ in range(MAX_WAITING + 3):
            detect(chelsea)
        held.set()
        looking.join()
    assert became == {"compared": 1 + MAX_WAITING, "dropped": 3}


@pytest.mark.parametrize("error", [OperationalError("locked"), RuntimeError("a bug")])
def test_what_goes_wrong_there_is_counted_and_fails_nobody(
    error: Exception, looking: Shadow, chelsea: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(shadow, "_record", fail)
    with counted() as became:
        answer = detect(chelsea)
        looking.join()
    assert (became, answer.objects[0].class_name) == ({"failed": 1}, "cat")
    monkeypatch.undo()
    detect(chelsea)
    looking.join()
    assert ShadowRun.objects.count() == 1


def test_a_detection_that_was_deleted_meanwhile_is_not_missed(looking: Shadow, chelsea: bytes) -> None:
    offer = looking.offer

    def delete_first(kept: predict_service.RecordedDetection) -> None:
        deletion.delete_detection(Detection.objects.get(uuid=kept.detection_uuid))
        offer(kept)

    predict_service.listen(delete_first)
    detect(chelsea)
    looking.join()
    assert ShadowRun.objects.count() == 0


def test_a_candidate_that_cannot_be_loaded_stops_nothing(
    limits: Any, tmp_path: Path, chelsea: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write_candidate(tmp_path, classes=["cat", "dog", "bird"])
    limits(data_dir=tmp_path, shadow=ShadowModel("candidate", 1.0))
    with caplog.at_level(logging.ERROR), shadowing() as running:
        assert running is not None
        answer = detect(chelsea)
        running.join()
    assert answer.objects[0].class_name == "cat"
    assert "SHADOW_MODEL=candidate cannot be loaded" in caplog.text


def test_a_name_without_a_model_stops_the_start_with_a_sentence(limits: Any) -> None:
    limits(shadow=ShadowModel("gone"))
    (problem,) = [each for each in run_checks() if each.id == "detection.E003"]
    assert "There is no model gone" in problem.msg
    limits(shadow=ShadowModel("nanodet_plus_m"))
    assert [each for each in run_checks() if each.id == "detection.E003"] == []


def test_two_servers_record_into_one_table(tmp_path: Path, chelsea: bytes) -> None:
    write_candidate(tmp_path)
    settings = {"DATA_DIR": str(tmp_path), "SHADOW_MODEL": "candidate:1"}
    compared = 'detector_shadow_photos_total{outcome="compared"} '
    with running_server(settings) as first, running_server(settings) as second:
        for server in (first, second):
            answer = httpx.post(f"{server.url}/predict", content=chelsea, headers={"Content-Type": "image/jpeg"})
            assert answer.headers["X-Model"] == "mobilenet_ssd_voc"
            while f"{compared}1.0" not in (text := httpx.get(f"{server.url}/metrics").text):
                assert 'outcome="failed"' not in text
                assert 'outcome="dropped"' not in text
            assert server.process.poll() is None


def test_staff_see_where_the_two_disagree(looking: Shadow, chelsea: bytes, client: Client) -> None:
    address = "/admin/detection/shadowrun/"
    for _ in range(2):
        detect(chelsea, original_name="minka.jpg")
        looking.join()
    assert client.get(address).status_code == 302
    client.force_login(account("anna", is_staff=True))
    assert client.get(address).status_code == 403
    client.force_login(account("root", is_staff=True, is_superuser=True))
    page = client.get(address)
    html = page.content.decode()
    assert "candidate@1.0 looked on: 2 photos" in html
    assert html.count("minka.jpg") == 2
    rows = [(row.class_name, row.matched, row.only_answer, row.only_candidate) for row in page.context["rows"]]
    assert rows == [("cat", 0, 2, 0), ("dog", 0, 0, 2), ("", 0, 2, 2)]
    link = "/history/?model=mobilenet_ssd_voc&amp;shadow=candidate%401.0"
    assert link in html
    assert [one.detection.photo.original_name for one in client.get(link.replace("&amp;", "&")).context["items"]] == [
        "minka.jpg",
        "minka.jpg",
    ]
    drawn = client.get(f"{address}{ShadowRun.objects.first().pk}/drawn/")  # type: ignore[union-attr]
    assert (drawn.status_code, drawn["Content-Type"], drawn.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert client.get(f"{address}99999/drawn/").status_code == 404
    assert address in client.get("/admin/detection/modelversion/").content.decode()


def test_the_page_says_how_to_begin(client: Client) -> None:
    client.force_login(account("root", is_staff=True, is_superuser=True))
    html = client.get("/admin/detection/shadowrun/").content.decode()
    assert "set SHADOW_MODEL" in html
    assert "Nothing was compared yet" in html
