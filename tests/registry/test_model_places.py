"""The folder of a model in what people have: folders within folders, and zips."""

import shutil
from pathlib import Path

import pytest

from detection.evaluation.annotations import DatasetError
from detection.inference.errors import CheckpointError
from detection.registry.model_places import model_folder_in


def write_card(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text("", encoding="utf-8")
    return folder


@pytest.mark.parametrize("inside", ["", "net", "runs/a/net"])
def test_folder_is_found_within_a_folder_and_a_zip(inside: str, tmp_path: Path) -> None:
    model = write_card(tmp_path / "given" / inside)
    (tmp_path / "given" / "__MACOSX").mkdir()
    with model_folder_in(tmp_path / "given") as found:
        assert found == model
    archive = Path(shutil.make_archive(str(tmp_path / "net"), "zip", tmp_path / "given"))
    with model_folder_in(archive) as found:
        assert (found / "model.toml").is_file()
        assert found.name == (model.name if inside else "net")
    assert not found.exists()


def test_several_models_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_card(tmp_path / "given" / name)
    with pytest.raises(CheckpointError, match="has 2 models within it: a, b"), model_folder_in(tmp_path / "given"):
        pass


def test_zip_without_a_card_or_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "net.onnx").write_bytes(b"any")
    archive = Path(shutil.make_archive(str(tmp_path / "net"), "zip", tmp_path / "given"))
    with pytest.raises(CheckpointError, match=r"net\.zip has no model card"), model_folder_in(archive):
        pass
    archive.write_bytes(archive.read_bytes()[:-40] + bytes(18) + archive.read_bytes()[-22:])
    with pytest.raises((DatasetError, CheckpointError)), model_folder_in(archive):
        pass


def test_folder_without_a_card_is_itself(tmp_path: Path) -> None:
    with model_folder_in(tmp_path / "absent") as found:
        assert found == tmp_path / "absent"
