"""`manage.py fetch_model` with a small stand-in for the published checkpoint, whose numbers are data."""

import dataclasses
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client
from pytest_django import Settings
from rich.console import Console

from detection.conf import BASE_DIR, DEFAULT_MODEL_PREFIX, PRODUCTION_MODEL_PREFIX, ShadowModel, load_config
from detection.inference.cards.card import CARD_NAME, read_card
from detection.management.commands.fetch_model import ProgressOfFiles, progress_bar
from detection.models import ModelVersion
from detection.predict import service as predict_service
from detection.registry.downloads import KnownFile
from detection.registry.known_models import KNOWN_MODELS, RESNET50_SSD
from detection.registry.reconciler import Reconciler
from detection.serving import service as serving
from detection.serving.locations import shadow_folder
from tests.support.checkpoints import EMBEDDED_PREFIX, tiny_ssd, write_checkpoint
from tests.support.file_server import FileServer, file_server

pytestmark = pytest.mark.django_db

CONTENTS = {
    "synset.txt": b"cat\ndog\n",
    "resnet50_ssd_model-symbol.json": b'{"nodes": []}' * 10,
    "resnet50_ssd_model-0000.params": bytes(range(256)) * 40,
}


@pytest.fixture
def mirror() -> Iterator[FileServer]:
    with file_server(dict(CONTENTS)) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """Where the stand-in gets installed, below a DATA_DIR of this test."""
    for name in ("MODEL_PREFIX", "MODEL_EDGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    config = load_config()
    settings.DETECTOR = config
    stand_in(CONTENTS, monkeypatch)
    return config.models_dir / "resnet50_ssd"


@pytest.fixture
def real_mirror(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A checkpoint that answers, of a few layers, under the names of the published one."""
    net = tiny_ssd()
    prefix = write_checkpoint(tmp_path / "published", net.document(), net.arrays, name=PRODUCTION_MODEL_PREFIX)
    contents = {file.name: prefix.with_name(file.name).read_bytes() for file in RESNET50_SSD.files}
    stand_in(contents, monkeypatch)
    with file_server(contents) as server:
        yield server


def stand_in(contents: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    files = tuple(
        KnownFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    )
    monkeypatch.setitem(KNOWN_MODELS, "resnet50_ssd", dataclasses.replace(RESNET50_SSD, files=files))


def fetch(source: object) -> str:
    """Run the command and answer with what it says."""
    out = io.StringIO()
    call_command("fetch_model", "resnet50_ssd", "--from", str(source), stdout=out)
    return out.getvalue()


def test_the_catalogue_has_the_published_numbers() -> None:
    assert KNOWN_MODELS["resnet50_ssd"].url == "https://s3.amazonaws.com/model-server/models/resnet50_ssd/"
    assert KNOWN_MODELS["resnet50_ssd"].files == (
        KnownFile("synset.txt", 135, "f14861775969fd006b382e005f96dc811ef062ea4a37356efb70d7775e90f743"),
        KnownFile(
            "resnet50_ssd_model-symbol.json",
            130816,
            "964cba539ebeb2b4c239a643ce14037189b04e4d7dc565a5bdfdf6869f90a544",
        ),
        KnownFile(
            "resnet50_ssd_model-0000.params",
            124747072,
            "852f460ab31a171568a093b17d153f70754e82096545115cdc3f3317b5b9ee5a",
        ),
    )
    assert RESNET50_SSD.size_bytes == 135 + 130816 + 124747072


def test_a_fetched_checkpoint_is_the_model_of_the_next_start(folder: Path, mirror: FileServer) -> None:
    assert load_config().model_prefix == DEFAULT_MODEL_PREFIX
    said = fetch(mirror.url)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != CARD_NAME} == CONTENTS
    config = load_config()
    assert (config.model_prefix, config.model_edge) == (folder / "resnet50_ssd_model", 512)
    assert said == (
        f"Fetched 3 of 3 files (0.0 MB) and verified them: {folder}\n"
        "The server uses this checkpoint from its next start on.\n"
    )


def test_the_card_has_what_was_verified(folder: Path, mirror: FileServer) -> None:
    fetch(mirror.url)
    card = read_card(folder)
    card.verify_files()
    assert (card.name, card.version, card.family, card.input.size_wh) == (
        "resnet50_ssd",
        "1.0",
        "mxnet_ssd",
        (512, 512),
    )
    assert (card.classes, card.source) == (("cat", "dog"), RESNET50_SSD.url)
    assert card.files == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


def test_a_card_that_is_missing_or_of_other_files_is_written_anew_and_an_edited_one_stays(
    folder: Path, mirror: FileServer
) -> None:
    fetch(mirror.url)
    card = folder / CARD_NAME
    written = card.read_bytes()
    # As an earlier version of this program has left it.
    card.unlink()
    assert load_config().model_prefix == folder / PRODUCTION_MODEL_PREFIX
    assert "All 3 files are here already" in fetch(mirror.url)
    assert card.read_bytes() == written
    for wrong in (b"cut of", written.replace(b'.params" = "', b'.params" = "0')):
        card.write_bytes(wrong)
        fetch(mirror.url)
        assert card.read_bytes() == written
    edited = written.replace(b'version = "1.0"', b'version = "1.0"\nthreshold = 0.3')
    card.write_bytes(edited)
    fetch(mirror.url)
    assert card.read_bytes() == edited


@pytest.mark.django_db(transaction=True)
def test_a_fetched_checkpoint_is_offered_added_and_compared(
    folder: Path, real_mirror: FileServer, settings: Settings, client: Client, chelsea: bytes
) -> None:
    fetch(real_mirror.url)
    predict_service.stop()
    config = dataclasses.replace(
        settings.DETECTOR,
        model_prefix=EMBEDDED_PREFIX,
        models=("resnet50_ssd",),
        shadow=ShadowModel("resnet50_ssd"),
    )
    settings.DETECTOR = config
    try:
        serving.start()
        for _ in range(2):
            answer = client.post("/api/predict?model=resnet50_ssd&store=0", chelsea, content_type="image/jpeg")
            assert (answer.status_code, answer["X-Model"]) == (200, "resnet50_ssd@1.0")
        assert shadow_folder(config) == folder
        call_command("model", "add", str(folder), stdout=io.StringIO())
        call_command("model", "activate", "resnet50_ssd", stdout=io.StringIO())
        Reconciler().poll()
        active = serving.active_model()
        assert active is not None
        assert (active.full_name, active.edge) == ("resnet50_ssd@1.0", 512)
    finally:
        predict_service.stop()


def test_model_prefix_still_rules(folder: Path, mirror: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PREFIX", "elsewhere/net")
    assert "MODEL_PREFIX names another checkpoint, elsewhere/net: unset it to use this one." in fetch(mirror.url)
    assert folder.is_dir()


def test_an_active_version_that_keeps_answering_is_told(folder: Path, mirror: FileServer) -> None:
    ModelVersion.objects.create(name="net", version="1", sha256="0" * 64, folder="net@1", is_active=True)
    said = fetch(mirror.url)
    assert "net@1 is the active version and keeps answering, also after the next start." in said
    assert "manage.py model deactivate" in said
    assert "from its next start on" not in said


def test_a_database_that_is_not_there_yet_is_no_hindrance(
    folder: Path, mirror: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(QuerySet, "first", fail)
    assert "from its next start on" in fetch(mirror.url)


def test_a_second_run_verifies_and_asks_for_nothing(folder: Path, mirror: FileServer) -> None:
    fetch(mirror.url)
    requests = len(mirror.seen_ranges)
    assert f"All 3 files are here already, verified: {folder}" in fetch(mirror.url)
    assert len(mirror.seen_ranges) == requests


def test_a_damaged_file_is_fetched_again(folder: Path, mirror: FileServer) -> None:
    fetch(mirror.url)
    (folder / "synset.txt").write_bytes(b"cat\ndot\n")
    assert "Fetched 1 of 3 files" in fetch(mirror.url)
    assert (folder / "synset.txt").read_bytes() == CONTENTS["synset.txt"]


def test_a_folder_is_a_mirror(folder: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name, content in CONTENTS.items():
        (mirror / name).write_bytes(content)
    assert "Fetched 3 of 3 files" in fetch(mirror)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != CARD_NAME} == CONTENTS


def test_a_broken_download_leaves_the_embedded_model_in_charge_and_goes_on(folder: Path, mirror: FileServer) -> None:
    mirror.cut_after = [None, None, 1000, 0]
    with pytest.raises(CommandError, match="Run the same command again: it goes on from there"):
        fetch(mirror.url)
    assert load_config().model_prefix == DEFAULT_MODEL_PREFIX
    fetch(mirror.url)
    assert mirror.seen_ranges[-1] == "bytes=1000-"
    assert load_config().model_prefix == folder / "resnet50_ssd_model"


def test_wrong_bytes_install_nothing(folder: Path, mirror: FileServer) -> None:
    mirror.files["resnet50_ssd_model-0000.params"] = bytes(256) * 40
    with pytest.raises(CommandError, match=r"resnet50_ssd_model-0000.params of this source is not the published one"):
        fetch(mirror.url)
    assert sorted(path.name for path in folder.iterdir()) == ["resnet50_ssd_model-symbol.json", "synset.txt"]
    assert load_config().model_prefix == DEFAULT_MODEL_PREFIX


def test_a_full_disk_is_said_before_anything_is_fetched(
    folder: Path, mirror: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = dataclasses.replace(RESNET50_SSD, files=(KnownFile("huge.params", 10**18, "0" * 64),))
    monkeypatch.setitem(KNOWN_MODELS, "resnet50_ssd", huge)
    with pytest.raises(CommandError, match="Make room, or set DATA_DIR"):
        fetch(mirror.url)
    assert mirror.seen_ranges == []
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(folder: Path, mirror: FileServer) -> None:
    folder.parent.parent.write_text("a file where DATA_DIR should be")
    with pytest.raises(CommandError, match=r"resnet50_ssd cannot be written \(Not a directory\)"):
        fetch(mirror.url)


def test_an_interrupt_says_how_to_go_on(folder: Path, mirror: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: ProgressOfFiles, file: KnownFile, have_bytes: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressOfFiles, "__call__", interrupted)
    with pytest.raises(CommandError, match=r"Stopped\. Run the same command again"):
        fetch(mirror.url)
    assert [path.name for path in folder.iterdir()] == ["synset.txt.part"]


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"invalid choice: 'vgg16' \(choose from .*resnet50_ssd"):
        call_command("fetch_model", "vgg16")


def test_the_progress_shows_name_amount_rate_and_time_left() -> None:
    screen = io.StringIO()
    file = RESNET50_SSD.files[-1]
    with progress_bar(Console(file=screen, force_terminal=True, width=120)) as progress:
        show = ProgressOfFiles(progress)
        for quarter in range(3):
            show(file, file.size_bytes * quarter // 4)
    assert [task.description for task in progress.tasks] == [file.name]
    assert re.search(r"62\.4/124\.7 MB.* .B/s.*\d:\d\d:\d\d", screen.getvalue())


def test_the_command_itself_ends_with_a_sentence_and_code_1(tmp_path: Path) -> None:
    environment = os.environ | {"DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(
        [sys.executable, "manage.py", "fetch_model", "resnet50_ssd", "--from", str(tmp_path / "empty")],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("CommandError: ")
    assert "synset.txt cannot be read (No such file or directory). Give with --from a folder" in ended.stderr
    assert "Traceback" not in ended.stderr
