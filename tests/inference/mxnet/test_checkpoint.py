"""Whole checkpoints, and files that do not belong together."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from detection.inference.errors import CheckpointError
from detection.inference.mxnet.checkpoint import checkpoint_files, checkpoint_sha256, load_checkpoint
from tests.support.checkpoints import EMBEDDED_PREFIX, params_bytes, tiny_ssd, write_checkpoint, write_tiny_ssd


def test_files_are_named_as_mxnet_names_them() -> None:
    files = checkpoint_files(Path("models/net"), 12)

    assert files.symbol == Path("models/net-symbol.json")
    assert files.params == Path("models/net-0012.params")
    assert files.classes == Path("models/synset.txt")


def test_embedded_checkpoint_loads_with_its_classes() -> None:
    checkpoint = load_checkpoint(EMBEDDED_PREFIX, 0)

    assert len(checkpoint.classes) == 20
    assert checkpoint.classes[7] == "cat"
    assert len(checkpoint.params) == 98


def test_hash_changes_with_every_file(tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path)
    hashes = {checkpoint_sha256(prefix, 0)}
    files = checkpoint_files(prefix, 0)

    for path in (files.symbol, files.params, files.classes):
        path.write_bytes(path.read_bytes() + b"\n")
        hashes.add(checkpoint_sha256(prefix, 0))

    assert len(hashes) == 4


def test_hash_depends_on_content_only(tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")

    sha256 = checkpoint_sha256(prefix, 0)

    assert sha256 == checkpoint_sha256(tmp_path / "two" / prefix.name, 0)
    assert len(sha256) == len(hashlib.sha256().hexdigest())


def test_hash_of_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"net-symbol\.json cannot be read .*: complete the checkpoint"):
        checkpoint_sha256(tmp_path / "net", 0)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    net = tiny_ssd()
    del net.arrays["arg:conv1_weight"]
    del net.arrays["aux:bn_data_moving_var"]
    net.arrays["arg:fc_weight"] = np.zeros((1, 1), np.float32)
    prefix = write_checkpoint(tmp_path, net.document(), net.arrays)

    with pytest.raises(CheckpointError, match=r"does not fit net-symbol\.json") as caught:
        load_checkpoint(prefix, 0)

    assert "the weights lack bn_data_moving_var, conv1_weight" in str(caught.value)
    assert "the network does not know the weights fc_weight" in str(caught.value)


def test_weights_of_another_network_are_named_by_the_first_ten(tmp_path: Path) -> None:
    net = tiny_ssd()
    prefix = write_checkpoint(tmp_path, net.document(), {"arg:other": np.zeros(1, np.float32)})

    with pytest.raises(CheckpointError, match=r"the weights lack bn_data_beta, .* and 6 more; .* weights other\."):
        load_checkpoint(prefix, 0)


def test_network_without_the_input_data_is_refused(tmp_path: Path) -> None:
    net = tiny_ssd()
    net.nodes[0]["name"] = "image"
    prefix = write_checkpoint(tmp_path, net.document(), {**net.arrays, "arg:image": np.zeros(1, np.float32)})

    with pytest.raises(CheckpointError, match="the network has no input named data"):
        load_checkpoint(prefix, 0)


def test_two_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    net = tiny_ssd()
    next(node for node in net.nodes if node["name"] == "conv0_bias")["name"] = "conv1_bias"
    del net.arrays["arg:conv0_bias"]
    prefix = write_checkpoint(tmp_path, net.document(), net.arrays)

    with pytest.raises(CheckpointError, match="more than one variable named conv1_bias"):
        load_checkpoint(prefix, 0)


def test_classes_are_read_without_empty_lines(tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path)
    (tmp_path / "synset.txt").write_text("cat \r\n\n  sea horse\n", encoding="utf-8")

    assert load_checkpoint(prefix, 0).classes == ("cat", "sea horse")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\n \n", "is empty"), (b"cat\xff", "it is not UTF-8 text"), (None, "cannot be read")],
    ids=["empty", "blank", "no text", "missing"],
)
def test_unusable_classes_say_what_to_do(content: bytes | None, reason: str, tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path)
    path = tmp_path / "synset.txt"
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(CheckpointError, match=f"{reason}.*: write the names of the model's classes there"):
        load_checkpoint(prefix, 0)


def test_another_epoch_is_another_file(tmp_path: Path) -> None:
    prefix = write_tiny_ssd(tmp_path)
    (tmp_path / "net-0007.params").write_bytes(params_bytes(tiny_ssd().arrays, "v1"))

    assert load_checkpoint(prefix, 7).epoch == 7
    with pytest.raises(CheckpointError, match=r"net-0008\.params is missing"):
        load_checkpoint(prefix, 8)
