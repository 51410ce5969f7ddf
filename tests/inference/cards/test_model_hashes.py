"""One hash for what answers: the card's, before a model is loaded and after."""

import shutil
from pathlib import Path

import pytest

from detection.inference.cards.card import read_card
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.precision.choice import read_table, settle_precision
from tests.inference.paths import EMBEDDED_PREFIX

FOLDER = EMBEDDED_PREFIX.parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "model"))


def opened(location: Path, tmp_path: Path, edge: int = 0) -> Network:
    return open_model(ModelSource(location, edge=edge), tmp_path / "cache")


def test_a_checkpoint_with_a_card_has_the_hash_of_the_card(tmp_path: Path) -> None:
    network = opened(FOLDER, tmp_path)
    assert network.sha256 == read_card(FOLDER).sha256
    assert network.made_of_sha256 == opened(EMBEDDED_PREFIX, tmp_path).sha256 != network.sha256


def test_another_edge_is_another_model(copied: Path, tmp_path: Path) -> None:
    network = opened(copied, tmp_path)
    by_setting = opened(copied, tmp_path, edge=320)
    card = copied / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("edge = 300", "edge = 320"), encoding="utf-8")
    by_card = opened(copied, tmp_path)
    assert len({network.sha256, by_setting.sha256, by_card.sha256}) == 3
    assert {each.made_of_sha256 for each in (network, by_setting, by_card)} == {network.made_of_sha256}


@pytest.mark.parametrize("location", [FOLDER, EMBEDDED_PREFIX], ids=["card", "bare"])
def test_int8_model_and_table_belong_to_the_checkpoint_with_and_without_its_card(
    location: Path, tmp_path: Path
) -> None:
    network = opened(location, tmp_path)
    assert set(read_table(network)["openvino"].precisions) == {"f32", "bf16", "int8"}
    quantized, options = settle_precision(network, EngineOptions(engine="openvino", precision="int8"))
    assert (quantized.quantized, options.precision) == (True, "int8")
    assert quantized.sha256 not in {network.sha256, network.made_of_sha256}
