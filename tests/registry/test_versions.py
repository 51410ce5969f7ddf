"""Versions of models: added, activated, rolled back and removed while photos come in."""

import base64
import html
import io
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from detection.conf import Config
from detection.inference.model_files import ModelSource, open_model
from detection.inference.precision import choice
from detection.inference.precision.choice import EngineMeasurements, Measurement, write_table
from detection.inference.precision.int8_files import quantized_network
from detection.models import Detection, ModelVersion
from detection.observability import metrics
from detection.predict import service as predict_service
from detection.registry.reconciler import Reconciler
from detection.serving import service as serving
from tests.inference.model_folders import (
    constant_network,
    nanodet_outputs,
    network_for_black_alone,
    scalar_network,
    write_model,
)
from tests.support.checkpoints import EMBEDDED_PREFIX

database = pytest.mark.django_db(transaction=True)
RUSSIAN = {"Accept-Language": "ru"}
DARK, LIGHT = constant_network(nanodet_outputs(0)), constant_network(nanodet_outputs(1))
ONLY_BLACK = network_for_black_alone(nanodet_outputs(0)["output"])
ALREADY_PROBABLE = constant_network({"output": np.full((16, 18), 0.5, np.float32)})


@pytest.fixture(autouse=True)
def own_models(limits: Any, tmp_path: Path) -> Iterator[Config]:
    """A data folder of this test; afterwards the next test finds the model that it expects."""
    predict_service.stop()
    yield limits(data_dir=tmp_path / "data")
    predict_service.stop()


def model(*arguments: object) -> str:
    out = io.StringIO()
    call_command("model", *map(str, arguments), stdout=out)
    return out.getvalue().rstrip()


def added(folder: Path, network: bytes, version: str, **keys: Any) -> str:
    write_model(folder / f"net-{version}", network, {"name": "net", "version": version, **keys})
    return model("add", folder / f"net-{version}")


def marks() -> list[str]:
    """The lines of `model list`, each without what comes after its name."""
    return [f"{line[:2]}{line[2:].split()[0]}" for line in model("list").splitlines()]


def answer(data: bytes) -> predict_service.DetectionResult:
    return predict_service.detect(predict_service.Upload(data, source=Detection.Source.API))


@database
def test_a_version_is_added_activated_rolled_back_and_removed(tmp_path: Path, chelsea: bytes) -> None:
    assert model("list") == "* mobilenet_ssd_voc  of MODEL_PREFIX"
    assert added(tmp_path, DARK, "1").startswith("Added net@1.")
    added(tmp_path, LIGHT, "2")
    reconciler = Reconciler()
    seen = []
    for reference in ("net@1", "net", "net@1"):
        assert "is active" in model("activate", reference)
        reconciler.poll()
        found = answer(chelsea)
        seen.append((found.model, found.objects[0].class_name))
    assert seen == [("net@1", "dark"), ("net@2", "light"), ("net@1", "dark")]
    rows = Detection.objects.order_by("pk").values_list("model_name", "model_version")
    assert list(rows) == [("net", "1"), ("net", "2"), ("net", "1")]
    assert marks() == ["  mobilenet_ssd_voc", "* net@1", "  net@2"]
    assert model("remove", "net@2") == "Removed net@2."
    assert [path.name for path in (tmp_path / "data" / "models").iterdir()] == ["net@1"]
    with pytest.raises(CommandError, match="net@1 is active"):
        model("remove", "net@1")


@database
def test_the_model_of_model_prefix_answers_again_and_the_only_version_can_be_removed(
    tmp_path: Path, chelsea: bytes
) -> None:
    added(tmp_path, DARK, "1")
    reconcilers = [Reconciler(), Reconciler()]
    for back in (["deactivate"], ["activate", "mobilenet_ssd_voc"]):
        model("activate", "net")
        for reconciler in reconcilers:
            reconciler.poll()
        assert answer(chelsea).model == "net@1"
        assert model(*back).startswith("mobilenet_ssd_voc of MODEL_PREFIX is active: it was tried here")
        for reconciler in reconcilers:
            reconciler.poll()
        assert answer(chelsea).model == "mobilenet_ssd_voc"
    assert marks() == ["* mobilenet_ssd_voc", "  net@1"]
    assert model("remove", "net@1") == "Removed net@1."


@database
def test_a_version_of_the_name_comes_before_the_model_of_model_prefix(
    tmp_path: Path, limits: Any, chelsea: bytes
) -> None:
    prefix = write_model(tmp_path / "embedded", DARK, {"name": "net", "version": "0"})
    limits(data_dir=tmp_path / "data", model_prefix=prefix)
    serving.start()
    assert model("list") == "* net@0  of MODEL_PREFIX"
    added(tmp_path, LIGHT, "1")
    reconciler = Reconciler()
    seen = []
    for reference in ("net", "net@0"):
        model("activate", reference)
        reconciler.poll()
        seen.append(answer(chelsea).model)
    assert seen == ["net@1", "net@0"]


@database
def test_a_model_of_model_prefix_that_fails_never_answers_again(tmp_path: Path, limits: Any, chelsea: bytes) -> None:
    prefix = write_model(tmp_path / "embedded", DARK, {"name": "net", "version": "0"})
    limits(data_dir=tmp_path / "data", model_prefix=prefix)
    added(tmp_path, LIGHT, "1")
    model("activate", "net@1")
    reconciler = Reconciler()
    reconciler.poll()
    (prefix / "net.onnx").write_bytes(b"damaged")
    with pytest.raises(CommandError, match="has the SHA-256"):
        model("deactivate")
    reconciler.poll()
    assert (marks(), answer(chelsea).model) == (["  net@0", "* net@1"], "net@1")
    # On one of several servers alone.
    ModelVersion.objects.update(is_active=False)
    reconciler.poll()
    assert answer(chelsea).model == "net@1"


def embedded(folder: Path) -> Path:
    """The MobileNet-SSD with its int8 model and its table of precisions, as version 1.1."""
    shutil.copytree(EMBEDDED_PREFIX.parent, folder)
    card = folder / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace('version = "1.0"', 'version = "1.1"'), encoding="utf-8")
    return folder


@database
@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_a_version_keeps_its_precisions(precision: str, tmp_path: Path, limits: Any, chelsea: bytes) -> None:
    prefix = EMBEDDED_PREFIX.parent
    limits(data_dir=tmp_path / "data", model_prefix=prefix, model_precision=precision)
    serving.start()
    before = serving.model_info()
    model("add", embedded(tmp_path / "source"))
    model("activate", "mobilenet_ssd_voc@1.1")
    Reconciler().poll()
    after = serving.model_info()
    assert (answer(chelsea).model, after["version"]) == ("mobilenet_ssd_voc@1.1", "1.1")
    assert [after[key] for key in ("precision", "sha256")] == [before[key] for key in ("precision", "sha256")]


@database
def test_a_table_that_is_written_beside_a_version_later_counts(
    tmp_path: Path, limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "offered_precisions", lambda _: ("int8", "f32"))  # whatever this CPU has
    source = embedded(tmp_path / "source")
    (source / "precision.json").unlink()
    chosen = limits(data_dir=tmp_path / "data", model_precision="auto")
    model("add", source)
    version = tmp_path / "data" / "models" / "mobilenet_ssd_voc@1.1"
    network = open_model(ModelSource(version), chosen.cache_dir)
    int8 = Measurement(model_sha256=quantized_network(network).made_of_sha256, coco_ap=0.5, coco_ap50=0.5)
    f32 = replace(int8, model_sha256=network.made_of_sha256)
    measured = EngineMeasurements(dataset="x", photos=1, objects=1, precisions={"f32": f32, "int8": int8})
    assert write_table(network, "openvino", measured).parent == version
    model("activate", "mobilenet_ssd_voc")
    Reconciler().poll()
    assert serving.model_info()["precision"] == "int8"


@database
def test_what_is_beside_a_model_and_damaged_is_not_taken_along(tmp_path: Path) -> None:
    source = embedded(tmp_path / "source")
    (source / "mobilenet_ssd_voc-0000-int8.onnx").write_bytes(b"damaged")
    (source / "precision.json").write_bytes(b"damaged")
    model("add", source)
    kept = {path.name for path in (tmp_path / "data" / "models" / "mobilenet_ssd_voc@1.1").iterdir()}
    assert kept == {path.name for path in source.iterdir() if "int8" not in path.name and path.name != "precision.json"}


@database
def test_what_cannot_serve_as_it_is_configured_is_refused_when_it_is_added(tmp_path: Path, limits: Any) -> None:
    source = embedded(tmp_path / "source")
    (source / "mobilenet_ssd_voc-0000-int8.onnx").unlink()
    limits(data_dir=tmp_path / "data", model_precision="int8")
    with pytest.raises(CommandError, match="has no int8 model"):
        model("add", source)
    assert (ModelVersion.objects.count(), list((tmp_path / "data" / "models").iterdir())) == (0, [])


@database
@pytest.mark.parametrize(
    ("keys", "network", "sentence"),
    [
        pytest.param({}, b"damaged", "is no ONNX model", id="corrupt file"),
        pytest.param({"files": {"net.onnx": "0" * 64}}, LIGHT, "has the SHA-256", id="wrong hash"),
        pytest.param({"classes": ["a", "b", "c"]}, LIGHT, r"with 3 classes .* model card", id="wrong class count"),
        pytest.param({"family": "detr", "decoding": {}}, LIGHT, "the family detr .* model card", id="other outputs"),
        pytest.param({}, ONLY_BLACK, "net answers with numbers that are not finite", id="blind to what is not black"),
        pytest.param({}, ALREADY_PROBABLE, "these are probabilities, not logits", id="with its sigmoid"),
        pytest.param({}, scalar_network(), r"breaks the decoding .* model card", id="a number"),
    ],
)
def test_what_cannot_serve_is_refused_and_the_old_one_goes_on(
    keys: dict[str, Any], network: bytes, sentence: str, tmp_path: Path, chelsea: bytes
) -> None:
    added(tmp_path, DARK, "1")
    model("activate", "net")
    Reconciler().poll()
    with pytest.raises(CommandError, match=sentence):
        added(tmp_path, network, "2", **keys)
    assert (ModelVersion.objects.count(), answer(chelsea).model) == (1, "net@1")


@database
def test_a_version_that_was_changed_on_the_disk_is_never_activated(tmp_path: Path, chelsea: bytes) -> None:
    added(tmp_path, DARK, "1")
    added(tmp_path, LIGHT, "2")
    model("activate", "net@1")
    reconciler = Reconciler()
    reconciler.poll()
    (tmp_path / "data" / "models" / "net@2" / "net.onnx").write_bytes(DARK)
    with pytest.raises(CommandError, match="has the SHA-256"):
        model("activate", "net@2")
    write_model(tmp_path / "data" / "models" / "net@2", DARK, {"name": "net", "version": "2"})
    with pytest.raises(CommandError, match="is not the one that was added as net@2"):
        model("activate", "net@2")
    reconciler.poll()
    assert (ModelVersion.objects.get(is_active=True).version, answer(chelsea).model) == ("1", "net@1")


@database
def test_a_server_that_cannot_load_the_active_version_keeps_its_own_and_says_so(tmp_path: Path, chelsea: bytes) -> None:
    added(tmp_path, DARK, "1")
    model("activate", "net")
    serving.start()
    (tmp_path / "data" / "models" / "net@1" / "net.onnx").unlink()
    reconciler = Reconciler()
    reconciler.poll()
    reconciler.poll()
    assert answer(chelsea).model == "mobilenet_ssd_voc"
    assert "net.onnx cannot be read" in ModelVersion.objects.get().problem
    assert "could not be loaded" in model("list")


@database
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("name", "n" * 101, "may have at most 100 characters"),
        ("name", "..", "has to be of letters.* not of dots alone"),
        ("version", "1" * 65, "may have at most 64 characters"),
        ("version", ".", "has to be of letters.* not of dots alone"),
    ],
)
def test_a_name_that_no_table_or_folder_can_have_is_refused_before_anything_is_copied(
    key: str, value: str, sentence: str, tmp_path: Path
) -> None:
    source = write_model(tmp_path / "source", DARK, {"name": "net", "version": "1", key: value})
    with pytest.raises(CommandError, match=f"model.toml: `{key}` {sentence}"):
        model("add", source)
    assert (ModelVersion.objects.count(), (tmp_path / "data" / "models").exists()) == (0, False)
    longest = {"name": "n" * 100, "version": "1" * 64}
    assert model("add", write_model(tmp_path / "longest", DARK, longest)).startswith("Added nnn")


@database
def test_everybody_who_asks_is_told_that_the_active_version_does_not_answer(
    tmp_path: Path, client: Client, chelsea: bytes
) -> None:
    added(tmp_path, DARK, "1")
    model("activate", "net")
    file = tmp_path / "data" / "models" / "net@1" / "net.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole + b"x")
    client.force_login(User.objects.create_superuser("admin"))

    def told() -> list[Any]:
        return [
            client.get("/readyz").json().get("problem", ""),
            client.get("/api/model").json()["problem"],
            client.get("/api/models").json()["models"][0]["problem"],
        ]

    def loaded() -> Any:
        return metrics.registry.get_sample_value("detector_active_version_loaded")

    def restart() -> None:
        predict_service.stop()
        serving.start()
        Reconciler().poll()

    restart()
    sentence = (
        "The active model net@1 could not be loaded: mobilenet_ssd_voc answers in its place. The reason is in the "
        "server's log."
    )
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert (told(), loaded()) == ([sentence] * 3, 0)
    page = client.get("/admin/detection/modelversion/").content.decode()
    assert html.escape(sentence) in page
    assert "Активная модель net@1" in client.get("/admin/detection/modelversion/", headers=RUSSIAN).content.decode()
    assert answer(chelsea).model == "mobilenet_ssd_voc"
    file.write_bytes(whole)
    restart()
    assert (told(), loaded(), answer(chelsea).model) == ([""] * 3, 1, "net@1")
    assert "could not be loaded" not in model("list")
    assert "could not be loaded" not in client.get("/admin/detection/modelversion/").content.decode()


@database
def test_nothing_is_done_twice_and_unknown_names_are_told(tmp_path: Path) -> None:
    added(tmp_path, DARK, "1")
    with pytest.raises(CommandError, match="net@1 is there already"):
        added(tmp_path, DARK, "1")
    for action in ("activate", "remove"):
        with pytest.raises(CommandError, match=r"no model net@3\. Known are: net@1"):
            model(action, "net@3")


@database
def test_changes_under_load_fail_no_photo_and_name_the_right_model(tmp_path: Path, chelsea: bytes) -> None:
    added(tmp_path, DARK, "1")
    added(tmp_path, LIGHT, "2")
    model("activate", "net@1")
    reconciler = Reconciler()
    reconciler.poll()
    done = threading.Event()

    def client(_: int) -> list[tuple[str, str, Any]]:
        seen = []
        try:
            while not done.is_set():
                found = answer(chelsea)
                seen.append((found.model, found.objects[0].class_name, found.detection_uuid))
        finally:
            connection.close()
        return seen

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, number) for number in range(8)]
        for reference in ("net@2", "net@1") * 3:
            model("activate", reference)
            reconciler.poll()
        done.set()
        seen = [each for each_client in clients for each in each_client.result(60)]
    assert {(model_name, class_name) for model_name, class_name, _ in seen} == {("net@1", "dark"), ("net@2", "light")}
    rows = {row.uuid: f"{row.model_name}@{row.model_version}" for row in Detection.objects.all()}
    assert rows == {uuid: name for name, _, uuid in seen}


def asked(client: Client, photo: bytes, reference: str) -> tuple[int, str, Any]:
    """Status, model and object of the photo by the model that is named."""
    response = client.post(f"/api/predict?model={reference}", photo, content_type="image/jpeg")
    found = response.json()
    return response.status_code, response.headers.get("X-Model", ""), found.get("error") or found["prediction"][0]


@database
def test_every_version_that_is_told_can_be_asked_for(
    tmp_path: Path, limits: Any, client: Client, chelsea: bytes
) -> None:
    write_model(tmp_path / "data" / "models" / "folder", LIGHT, {"name": "net", "version": "0"})
    limits(data_dir=tmp_path / "data", models=("folder",), max_resident_models=2)
    added(tmp_path, DARK, "1")
    added(tmp_path, LIGHT, "2")
    model("activate", "net@1")
    Reconciler().poll()
    told = [each["name"] for each in client.get("/api/models").json()["models"]]
    assert told == ["net", "folder", "net@2"]
    for reference, full_name in (
        ("net", "net@1"),
        ("net@1", "net@1"),
        ("folder", "net@0"),
        ("folder@0", "net@0"),
        ("net@0", "net@0"),
        ("net@2", "net@2"),
    ):
        assert asked(client, chelsea, reference)[:2] == (200, full_name)
    for reference in ("net@3", "mobilenet_ssd_voc", "../models/net@2", "net@2/../net@2", "@", "net@"):
        assert asked(client, chelsea, reference) == (
            404,
            "",
            f"There is no model {reference!r}. Use one of folder, or leave `model` out for the one that answers by "
            "default.",
        )
    assert [each["name"] for each in client.get("/api/models").json()["models"] if each["is_loaded"]] == [
        "net",
        "net@2",
    ]


@database
def test_a_name_is_the_default_where_that_has_it_and_versions_keep_their_meaning(
    tmp_path: Path, limits: Any, client: Client, chelsea: bytes
) -> None:
    write_model(tmp_path / "data" / "models" / "net", LIGHT, {"version": "0"})
    limits(data_dir=tmp_path / "data", models=("net",))
    serving.start()
    assert asked(client, chelsea, "net")[1] == "net@0"
    added(tmp_path, DARK, "1")
    assert asked(client, chelsea, "net")[1] == "net@0"
    model("activate", "net@1")
    Reconciler().poll()
    assert [asked(client, chelsea, each)[1] for each in ("net", "net@0", "net@1")] == ["net@1", "net@0", "net@1"]
    listed = client.get("/api/models").json()["models"]
    assert [(each["name"], each["version"]) for each in listed] == [("net", "1"), ("net@0", "0")]


@database
def test_the_open_inference_protocol_knows_every_version(
    tmp_path: Path, limits: Any, client: Client, chelsea: bytes
) -> None:
    limits(data_dir=tmp_path / "data", models=())
    added(tmp_path, DARK, "1")
    added(tmp_path, LIGHT, "2")
    model("activate", "net@1")
    Reconciler().poll()
    photo = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(chelsea).decode()]}
    for address, version, class_name in (
        ("net", "1", "dark"),
        ("net/versions/1", "1", "dark"),
        ("net/versions/2", "2", "light"),
    ):
        body = client.post(f"/v2/models/{address}/infer", {"inputs": [photo]}, content_type="application/json").json()
        outputs = {each["name"]: each["data"] for each in body["outputs"]}
        assert (body["model_version"], outputs["class_names"]) == (version, [class_name])
    for address, told in (("nix", "'nix'"), ("net/versions/3", "'net' in version '3'")):
        refused = client.get(f"/v2/models/{address}")
        sentence = f"There is no model {told}. GET /api/models lists those that there are."
        assert (refused.status_code, refused.json()) == (404, {"error": sentence})


@database
def test_a_version_that_was_removed_answers_no_more_and_its_successor_does(
    tmp_path: Path, limits: Any, client: Client, chelsea: bytes
) -> None:
    limits(data_dir=tmp_path / "data", models=())
    added(tmp_path, DARK, "1")
    serving.start()
    reconciler = Reconciler()
    reconciler.poll()
    assert asked(client, chelsea, "net@1")[2]["objectClass"] == "dark"
    model("remove", "net@1")
    reconciler.poll()
    assert asked(client, chelsea, "net@1")[0] == 404
    added(tmp_path, LIGHT, "1")
    assert asked(client, chelsea, "net@1")[2]["objectClass"] == "light"


@database
def test_the_admin_changes_the_model_too(client: Client, tmp_path: Path) -> None:
    added(tmp_path, DARK, "1")
    added(tmp_path, LIGHT, "2")
    client.force_login(User.objects.create_superuser("admin"))
    first, second = ModelVersion.objects.order_by("pk")

    def act(*rows: ModelVersion, action: str = "activate") -> str:
        body = {"action": action, "_selected_action": [row.pk for row in rows]}
        return client.post("/admin/detection/modelversion/", body, follow=True).content.decode()

    assert "Choose one version" in act(first, second)
    assert "The version net@1 is active; every server" in act(first)
    assert ModelVersion.objects.get(is_active=True) == first
    (tmp_path / "data" / "models" / "net@2" / "net.onnx").unlink()
    refused = act(second)
    assert "The version net@2 cannot answer." in refused
    assert "cannot be read" in refused
    assert ModelVersion.objects.get(is_active=True) == first
    assert "Choose the active version" in act(second, action="deactivate")
    assert "The model of MODEL_PREFIX is active" in act(first, second, action="deactivate")
    assert not ModelVersion.objects.filter(is_active=True).exists()


@database
def test_the_admin_shows_what_a_version_finds_and_asks(client: Client, tmp_path: Path, chelsea: bytes) -> None:
    added(tmp_path, LIGHT, "1")
    (row,) = ModelVersion.objects.all()
    address = f"/admin/detection/modelversion/{row.pk}/look/"
    assert client.get(address).status_code == 302
    client.force_login(User.objects.create_superuser("admin"))
    assert address in client.get("/admin/detection/modelversion/").content.decode()
    page = client.get(address).content.decode()
    assert page.count("data:image/jpeg;base64,") == 1
    assert "Sample photo: light 0.95" in page
    answer(chelsea)
    answer(chelsea)
    page = client.get(address).content.decode()
    assert page.count("data:image/jpeg;base64,") == 2
    assert not ModelVersion.objects.filter(is_active=True).exists()
    assert "The version net@1 is active" in client.post(address, follow=True).content.decode()
    assert ModelVersion.objects.get(is_active=True) == row
    (tmp_path / "data" / "models" / "net@1" / "net.onnx").unlink()
    assert "The version net@1 cannot answer." in client.get(address, follow=True).content.decode()
    client.force_login(User.objects.create_user("reader", is_staff=True))
    assert client.get(address).status_code == 403


@database
def test_links_to_files_elsewhere_are_not_copied_with_a_model(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key", encoding="utf-8")
    folder = write_model(tmp_path / "net", DARK, {"name": "net", "version": "1"})
    (folder / "LICENSE").write_text("MIT", encoding="utf-8")
    (folder / "LICENSE-more").symlink_to(tmp_path / "secret")
    (folder / "PROVENANCE.md").symlink_to("/dev/zero")
    (folder / "LICENSES").mkdir()
    (folder / "back").symlink_to(folder)
    model("add", folder)
    copied = tmp_path / "data" / "models" / "net@1"
    assert sorted(path.name for path in copied.iterdir()) == ["LICENSE", "model.toml", "net.onnx"]
