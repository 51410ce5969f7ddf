"""`detect --ray` without a cluster: what does not go with it, and a worker on its node. With one: tests/cluster."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from detection.bulk.cluster import CHUNK, Spread, Worker
from detection.bulk.files import PhotoFile, read_capped
from detection.conf import BASE_DIR
from detection.inference.batch_detector import BatchDetector
from detection.inference.detector import DetectorOptions
from detection.inference.engines.base import EngineOptions
from detection.inference.errors import EngineError
from detection.inference.model_files import ModelSource, open_model


def spread(tmp_path: Path, **values: Any) -> Spread:
    source = ModelSource(BASE_DIR / "models" / "mobilenet_ssd_voc")
    options = DetectorOptions(source, tmp_path, EngineOptions())
    return Spread(options, 0.5, "", values.get("sha256", open_model(source, tmp_path).sha256))


def test_worker_reads_and_answers_or_names_what_cannot_be_read(tmp_path: Path, chelsea: bytes) -> None:
    (tmp_path / "cat.jpg").write_bytes(chelsea)
    made = spread(tmp_path)
    worker = made.worker(1)
    names = [str(tmp_path / name) for name in ("cat.jpg", "gone.jpg")]
    cat, gone = worker.lines([PhotoFile(name, partial(read_capped, Path(name), 10**6)) for name in names])
    assert (cat["file"], cat["prediction"][0]["objectClass"]) == (names[0], "cat")
    assert gone == {"file": names[1], "error": "The file cannot be read: No such file or directory."}


@pytest.mark.parametrize(("photos_at_once", "chunks"), [(1, 2), (16, 3), (64, 6), (1000, 16)])
def test_machine_has_the_photos_of_all_its_cores_in_hand_while_a_chunk_is_on_its_way(
    photos_at_once: int, chunks: int
) -> None:
    detector = SimpleNamespace(network=SimpleNamespace(sha256=""), workers=photos_at_once)
    assert Worker(cast("BatchDetector", SimpleNamespace(detector=detector))).chunks_at_once() == chunks
    assert (chunks - 1) * CHUNK >= min(photos_at_once, 15 * CHUNK)


def test_node_with_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="A node has another model"):
        spread(tmp_path, sha256="0" * 64).worker(1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--output", "o.jsonl", "--record"], "--record works with the photos on this", id="record"),
        pytest.param([], "--ray needs --output FILE", id="no output"),
    ],
)
def test_what_does_not_go_with_a_cluster_says_so(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    with pytest.raises(CommandError, match=sentence):
        call_command("detect", "a.jpg", "--ray", *arguments)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(CommandError, match=r"run pip install -r requirements-ray\.txt"):
        call_command("detect", "a.jpg", "--ray", "--output", "o.jsonl")
