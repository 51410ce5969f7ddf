"""The catalogue: its cards, fetching in the admin, and one file of any address, from a server on this machine."""

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django import Settings

from detection.conf import BASE_DIR, load_config
from detection.inference.cards.card import parse_card, read_card
from detection.models import ModelVersion
from detection.registry import fetching
from detection.registry.downloads import FolderSource
from detection.registry.known_models import KNOWN_MODELS, NANODET_PLUS_M_1_5X
from detection.registry.pretrained import card_of, install
from tests.support.file_server import file_server

pytestmark = pytest.mark.django_db(transaction=True)

EMBEDDED = BASE_DIR / "models" / "nanodet_plus_m" / "nanodet_plus_m_416.onnx"
ADDRESS = "/admin/detection/modelversion/catalogue/"


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    settings.DETECTOR = load_config()
    return settings.DETECTOR.models_dir  # type: ignore[no-any-return]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The embedded network on a server of this machine, in the place of the larger one, with the size of its file."""
    content = EMBEDDED.read_bytes()
    file = dataclasses.replace(NANODET_PLUS_M_1_5X.files[0], size_bytes=len(content))
    with file_server({file.name: content}) as server:
        model = dataclasses.replace(
            NANODET_PLUS_M_1_5X, url=server.url, files=(file,), decoding={"activation": "sigmoid"}
        )
        monkeypatch.setitem(KNOWN_MODELS, model.name, model)
        yield


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("anna"))
    return client


@pytest.mark.parametrize("name", list(KNOWN_MODELS))
def test_the_card_of_every_model_can_be_read(name: str, tmp_path: Path) -> None:
    model = KNOWN_MODELS[name]
    (tmp_path / "synset.txt").write_text("cat\ndog\n")
    files = tuple(dataclasses.replace(file, sha256=file.sha256 or "0" * 64) for file in model.files)
    card = parse_card(tmp_path, card_of(dataclasses.replace(model, files=files)))
    assert (card.name, card.licence, dict(card.accuracy)) == (model.name, model.licence, dict(model.accuracy))
    assert len(card.classes) == {"yunet": 1, "resnet50_ssd": 2}.get(name, 80)


def test_the_list_names_licence_size_and_accuracy(models_dir: Path, stand_in: None) -> None:
    model = KNOWN_MODELS["nanodet_plus_m_1_5x"]
    install(model, FolderSource(_folder_with(models_dir / "source", model.files[0].name)), models_dir, lambda *_: None)
    out = io.StringIO()
    call_command("models", "available", stdout=out)
    lines = {line[3:].split(" ")[0]: line for line in out.getvalue().splitlines()}
    for said in ("Apache-2.0", "35.9", "coco_ap 0.405"):
        assert said in lines["yolox_s"]
    assert lines["nanodet_plus_m_1_5x"].startswith("*")
    assert lines["yunet"].startswith(" ")


def _folder_with(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(EMBEDDED.read_bytes())
    return folder


def test_a_file_without_a_published_hash_is_pinned_by_its_first_fetch(models_dir: Path, stand_in: None) -> None:
    call_command("fetch_model", "nanodet_plus_m_1_5x", stdout=io.StringIO())
    folder = models_dir / "nanodet_plus_m_1_5x"
    (name,) = read_card(folder).files
    assert read_card(folder).files[name] == hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()
    # Another file of the same size, as a mirror might have it later.
    (folder / name).unlink()
    other = _folder_with(models_dir / "source", name)
    with (other / name).open("r+b") as file:
        file.write(b"other")
    with pytest.raises(CommandError, match="its SHA-256 differs"):
        call_command("fetch_model", "nanodet_plus_m_1_5x", "--from", str(other), stdout=io.StringIO())


def test_the_admin_fetches_tries_and_adds(models_dir: Path, stand_in: None, operator: Client) -> None:
    page = operator.get(ADDRESS).content.decode()
    assert "Fetch nanodet_plus_m_1_5x" in page
    assert ADDRESS in operator.get("/admin/detection/modelversion/").content.decode()
    operator.post(ADDRESS, {"model": "nanodet_plus_m_1_5x"})
    fetching.wait("nanodet_plus_m_1_5x", 60)
    row = ModelVersion.objects.get()
    assert (str(row), row.is_active) == ("nanodet_plus_m_1_5x@1.0", False)
    page = operator.get(ADDRESS).content.decode()
    assert f"/admin/detection/modelversion/{row.pk}/change/" in page
    assert "Fetch nanodet_plus_m_1_5x" not in page


def test_the_admin_says_why_a_fetch_failed(models_dir: Path, operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with file_server({}, status=404) as server:
        monkeypatch.setitem(KNOWN_MODELS, "yunet", dataclasses.replace(KNOWN_MODELS["yunet"], url=server.url))
        operator.post(ADDRESS, {"model": "yunet"})
        fetching.wait("yunet", 60)
    page = operator.get(ADDRESS).content.decode()
    assert "answered 404 Not Found" in page
    assert "Fetch yunet" in page
    assert not ModelVersion.objects.exists()


def test_who_may_not_add_versions_fetches_nothing(models_dir: Path, stand_in: None, client: Client) -> None:
    client.force_login(User.objects.create_user("ben", is_staff=True))
    assert client.get(ADDRESS).status_code == 403
    assert client.post(ADDRESS, {"model": "nanodet_plus_m_1_5x"}).status_code == 403
    assert not models_dir.exists()


def test_one_file_of_any_address_is_verified_by_its_hash(models_dir: Path) -> None:
    content = EMBEDDED.read_bytes()
    out = io.StringIO()
    with file_server({"best.onnx?download=true": content}) as server:
        url = f"{server.url}/best.onnx?download=true"
        with pytest.raises(CommandError, match=r"not the published one of 4,768,407 bytes: its SHA-256 differs"):
            call_command("fetch_model", "--url", url, "--sha256", "0" * 64)
        assert list((models_dir / "best").iterdir()) == []
        sha256 = hashlib.sha256(content).hexdigest().upper()
        call_command("fetch_model", "--url", url, "--sha256", sha256, "--name", "helmets", stdout=out)
    assert (models_dir / "helmets" / "best.onnx").read_bytes() == content
    assert f"manage.py model_card {models_dir / 'helmets'}" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name a published model, or give --url together with --sha256"),
        (["--url", "https://a.test/x.onnx"], "together with --sha256"),
        (["yunet", "--url", "https://a.test/x.onnx", "--sha256", "0" * 64], "Name a published model, or"),
        (["--url", "https://a.test/x.onnx", "--sha256", "abc"], "64 hexadecimal digits"),
        (["--url", "file:///etc/passwd", "--sha256", "0" * 64], "is not an address of http or https"),
        (["--url", "https://a.test/", "--sha256", "0" * 64], "does not end with the name of a file"),
        (["--url", "https://a.test/x.onnx", "--sha256", "0" * 64, "--name", "../x"], "cannot be the name of a folder"),
    ],
)
def test_wrong_arguments_are_said(arguments: list[str], sentence: str, models_dir: Path) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("fetch_model", *arguments)
    assert not models_dir.exists()
