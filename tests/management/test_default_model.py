"""Commands use the model that a server answers with: the active version, else MODEL_PREFIX's."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from detection.bulk.journal import Records
from detection.conf import BASE_DIR, Config
from detection.inference.cards.card import read_card
from detection.models import Detection, ModelVersion
from detection.predict import service as predict_service
from detection.registry import catalogue
from detection.registry import versions as model_versions
from detection.registry.reconciler import Reconciler
from tests.evaluation.builders import write_voc
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model
from tests.support.builders import stored_detection
from tests.support.checkpoints import EMBEDDED_PREFIX
from tests.support.serving import server_environment

pytestmark = pytest.mark.django_db(transaction=True)
DARK, LIGHT = constant_network(nanodet_outputs(0)), constant_network(nanodet_outputs(1))
MOBILENET, NANODET = BASE_DIR / "models" / "mobilenet_ssd_voc", BASE_DIR / "models" / "nanodet_plus_m"


@pytest.fixture(autouse=True)
def own_models(limits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A data folder of this test, and an empty folder to work in; no model is loaded before or after."""
    monkeypatch.chdir(tmp_path)
    predict_service.stop()
    yield limits(data_dir=tmp_path / "data")
    predict_service.stop()


def activate(folder: Path) -> ModelVersion:
    row = model_versions.add(folder)
    model_versions.activate(row)
    return row


def net(version: str, network: bytes) -> Path:
    return write_model(Path(f"net-{version}"), network, {"name": "net", "version": version})


def mobilenet(version: str) -> Path:
    """A copy of the embedded one that says another version of itself."""
    folder = Path(f"mobilenet-{version}")
    shutil.copytree(MOBILENET, folder)
    card = folder / "model.toml"
    card.write_text(card.read_text().replace('version = "1.0"', f'version = "{version}"'))
    return folder


def said(*arguments: object) -> str:
    output = io.StringIO()
    call_command(*map(str, arguments), stdout=output)
    return output.getvalue()


def photo(data: bytes, name: str = "cat.jpg") -> str:
    Path(name).write_bytes(data)
    return name


def test_detect_answers_and_records_with_the_active_version(chelsea: bytes, capsys: Any) -> None:
    activate(net("1", DARK))
    call_command("detect", photo(chelsea), "--record")
    shown = capsys.readouterr()
    assert [found["objectClass"] for found in json.loads(shown.out)["prediction"]] == ["dark"]
    assert "Model: net@1\n" in shown.err
    assert list(Detection.objects.values_list("model_name", "model_version")) == [("net", "1")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "coco.json"])
def test_results_of_detect_are_of_the_active_versions_classes(suffix: str, chelsea: bytes) -> None:
    activate(net("1", LIGHT))
    call_command("detect", photo(chelsea), "--output", f"out.{suffix}")
    assert "light" in Path(f"out.{suffix}").read_text()


def test_results_of_detect_name_the_version(chelsea: bytes) -> None:
    activate(net("1.5", LIGHT))
    call_command("detect", photo(chelsea), "--output", "out.csv")
    call_command("detect", "cat.jpg", "--output", "out.coco.json")
    with Path("out.csv").open(newline="", encoding="utf-8-sig") as file:
        assert [(row["model_name"], row["model_version"]) for row in csv.DictReader(file)] == [("net", "1.5")]
    (image,) = json.loads(Path("out.coco.json").read_bytes())["images"]
    assert (image["model_name"], image["model_version"]) == ("net", "1.5")


def test_detect_does_not_go_on_with_a_version_that_was_activated_meanwhile(chelsea: bytes) -> None:
    first = activate(net("1", DARK))
    photo(chelsea)
    with mock.patch.object(Records, "add", side_effect=OSError("killed here")), pytest.raises(CommandError):
        call_command("detect", "cat.jpg", "--output", "out.jsonl")
    activate(net("2", LIGHT))
    with pytest.raises(CommandError, match=r"another model: \w+ \(net@1\), and now it is \w+ \(net@2\)\. Go on with"):
        call_command("detect", "cat.jpg", "--output", "out.jsonl")
    model_versions.activate(first)
    call_command("detect", "cat.jpg", "--output", "out.jsonl")
    assert '"dark"' in Path("out.jsonl").read_text()


def test_the_others_use_the_active_version_and_say_so(chelsea: bytes, own_models: Config) -> None:
    activate(mobilenet("1.1"))
    assert "mobilenet_ssd_voc@1.1: openvino on CPU" in said("evaluate", write_voc(Path("voc")), "--json", "m.json")
    assert json.loads(Path("m.json").read_bytes())["model"]["version"] == "1.1"
    assert "Wrote mobilenet_ssd_voc@1.1 to repository" in said("export_model", "repository", "--for", "triton")
    assert "the int8 model of mobilenet_ssd_voc@1.1: " in said("quantize", photo(chelsea))
    added = own_models.models_dir / "mobilenet_ssd_voc@1.1"
    assert (added / "mobilenet_ssd_voc-0000-int8.onnx").is_file()
    said("evaluate", "voc", "--compare", "f32,int8", "--write-table")
    assert (added / "precision.json").is_file()


def test_quantize_makes_the_int8_model_of_another_folder_when_told(chelsea: bytes) -> None:
    activate(net("1", DARK))
    folder = mobilenet("2.0")
    for made in folder.glob("*int8*"):
        made.unlink()
    assert "of mobilenet_ssd_voc@2.0: " in said("quantize", photo(chelsea), "--model", folder)
    assert (folder / "mobilenet_ssd_voc-0000-int8.onnx").is_file()


def test_names_mean_what_they_mean_to_the_server(own_models: Config) -> None:
    assert catalogue.find_model("mobilenet_ssd_voc").location == EMBEDDED_PREFIX
    assert catalogue.find_model("nanodet_plus_m").location == NANODET
    activate(mobilenet("1.1"))
    active = own_models.models_dir / "mobilenet_ssd_voc@1.1"
    assert catalogue.find_model("mobilenet_ssd_voc").location == active
    assert catalogue.find_model("mobilenet_ssd_voc@1.1").location == active
    assert catalogue.find_model("mobilenet_ssd_voc@1.0").location == MOBILENET


def test_an_active_version_that_is_gone_is_told_and_no_other_answers(chelsea: bytes, own_models: Config) -> None:
    activate(net("1", DARK))
    shutil.rmtree(own_models.models_dir / "net@1")
    for arguments in (["detect", photo(chelsea)], ["export_model", "repository", "--for", "triton"]):
        with pytest.raises(
            CommandError, match=r"net@1 is active, and cannot be used here: .* `manage\.py model activate`"
        ):
            call_command(*arguments)
    assert catalogue.find_model("nanodet_plus_m").location == NANODET


@pytest.mark.parametrize(
    "database",
    [
        pytest.param({}, id="no tables yet"),
        pytest.param({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, id="nobody listens"),
    ],
)
def test_without_a_database_that_tells_it_is_the_model_of_model_prefix(
    database: dict[str, str], chelsea: bytes, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "detect", photo(chelsea)],
        env=server_environment({"DATA_DIR": str(tmp_path / "fresh"), **database}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [found["objectClass"] for found in json.loads(done.stdout)["prediction"]] == ["cat"]
    assert "Whether a version of a model is active is not known, so MODEL_PREFIX's is used." in done.stderr
    assert "Model: mobilenet_ssd_voc\n" in done.stderr


def download(name: str) -> bytes:
    response: Any = Client().get(f"/api/export?format={name}")
    return b"".join(response.streaming_content)


def exported(name: str) -> bytes:
    """By the command, in which no model is loaded."""
    predict_service.stop()
    call_command("export", name, f"out.{name}")
    return Path(f"out.{name}").read_bytes()


@pytest.fixture
def mixed() -> None:
    """A history of the model of MODEL_PREFIX, of the active version, of another model, and of one that is gone."""
    activate(net("2", LIGHT))
    stored_detection(("motorbike", 0.9), ("person", 0.8))
    stored_detection(("light", 0.9), model_name="net", model_version="2")
    stored_detection(("motorcycle", 0.9), ("person", 0.7), model_name="nanodet_plus_m", model_version="1.0")
    stored_detection(("griffin", 0.9), ("light", 0.6), model_name="gone", model_version="7")
    Reconciler().poll()


CLASSES = ("dark", "light", *read_card(MOBILENET).classes, *read_card(NANODET).classes, "griffin")
EXPECTED = [["motorbike", "person"], ["light"], ["motorcycle", "person"], ["griffin", "light"]]


def test_coco_of_several_models_counts_from_the_active_versions_classes(mixed: None) -> None:
    document = json.loads(download("coco"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert list(names.values()) == list(dict.fromkeys(CLASSES))
    told: dict[int, list[str]] = {image["id"]: [] for image in document["images"]}
    for found in document["annotations"]:
        told[found["image_id"]].append(names[found["category_id"]])
    assert list(told.values()) == EXPECTED
    assert json.loads(exported("coco")) == document


def test_yolo_of_several_models_counts_from_the_active_versions_classes(mixed: None) -> None:
    def members(content: bytes) -> dict[str, str]:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    answered = members(download("yolo"))
    names = answered["classes.txt"].splitlines()
    assert names == list(dict.fromkeys(CLASSES))
    assert f'  {len(names) - 1}: "griffin"\n' in answered["data.yaml"]
    labels = [content for name, content in answered.items() if name.startswith("labels/")]
    assert [[names[int(line.split()[0])] for line in content.splitlines()] for content in labels] == EXPECTED
    assert members(exported("yolo")) == answered
