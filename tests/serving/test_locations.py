"""The folder that NAME or NAME@VERSION means: to callers, who may ask for what is offered, and to operators."""

from pathlib import Path
from typing import Any

import pytest

from detection.errors import AmbiguousModelError, UnknownModelError
from detection.serving.locations import find_folder, model_folder
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model


@pytest.fixture
def config(limits: Any, tmp_path: Path) -> Any:
    models = tmp_path / "data" / "models"
    network = constant_network(nanodet_outputs(0))
    for folder, name, version in (
        ("plain", "net", "2"),
        ("net@1", "net", "1"),
        ("odd@1", "odd", "9"),
        ("other", "other", "1"),
    ):
        write_model(models / folder, network, {"name": name, "version": version})
    return limits(data_dir=tmp_path / "data", models=("plain",))


@pytest.mark.parametrize(
    ("reference", "of_caller", "of_operator"),
    [
        pytest.param("plain", "plain", "plain", id="name of an offered folder"),
        pytest.param("other", None, "other", id="name of a folder that is not offered"),
        pytest.param("net", None, None, id="name of a card is no folder"),
        pytest.param("net@1", "net@1", "net@1", id="added version"),
        pytest.param("net@2", "plain", "plain", id="by the card's name"),
        pytest.param("plain@2", "plain", "plain", id="by the folder's name"),
        pytest.param("plain@1", None, None, id="never another version"),
        pytest.param("odd@1", None, None, id="never another version than the card's"),
        pytest.param("other@1", None, "other", id="version of a folder that is not offered"),
        pytest.param("mobilenet_ssd_voc", None, "mobilenet_ssd_voc", id="embedded"),
        pytest.param("../plain", None, None, id="path"),
        pytest.param(f"net@{'1' * 7000}", None, None, id="longer than any name"),
        pytest.param("", None, None, id="empty"),
    ],
)
def test_reference_means_one_folder(
    reference: str, of_caller: str | None, of_operator: str | None, config: Any
) -> None:
    found = [find_folder(config, reference, offered) for offered in (config.models, None)]
    assert [folder and folder.name for folder in found] == [of_caller, of_operator]
    if of_caller is None:
        with pytest.raises(UnknownModelError):
            model_folder(config, reference)
    else:
        assert model_folder(config, reference).name == of_caller


@pytest.mark.parametrize("own_name", ["one", "net@1"], ids=["two cards", "an added version and a card"])
def test_version_that_different_models_claim_is_none_of_them(own_name: str, limits: Any, tmp_path: Path) -> None:
    models = tmp_path / "models"
    card = {"name": "net", "version": "1"}
    write_model(models / own_name, constant_network(nanodet_outputs(0)), card)
    config = limits(data_dir=tmp_path, models=("one", "two"))
    write_model(models / "two", constant_network(nanodet_outputs(0)), card)
    assert model_folder(config, "net@1").name in {own_name, "two"}, "a copy is the same model"
    write_model(models / "two", constant_network(nanodet_outputs(1)), card)
    for offered in (config.models, None):
        with pytest.raises(AmbiguousModelError) as raised:
            find_folder(config, "net@1", offered)
        assert f"DATA_DIR/models/{own_name}" in str(raised.value)
        assert "DATA_DIR/models/two" in str(raised.value)
        assert str(tmp_path) not in str(raised.value)
    assert model_folder(config, "two@1").name == "two"
