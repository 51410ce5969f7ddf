"""Converted networks on disk: made once, found again, mended when damaged."""

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from detection.inference.convert import cache
from detection.inference.convert.cache import ANCHORS_NAME, DESCRIPTION_NAME, ONNX_NAME, prepare_network
from detection.inference.convert.conversion import convert
from detection.inference.errors import CheckpointError
from detection.inference.mxnet.checkpoint import checkpoint_sha256
from detection.inference.network import Network
from tests.support.checkpoints import write_tiny_ssd

EDGE = 32
CONVERTED = "converted"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A small checkpoint."""
    return write_tiny_ssd(tmp_path / "checkpoint")


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "var" / "cache"


def conversions(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.getMessage().startswith(CONVERTED) for record in caplog.records)


def same(first: Network, second: Network) -> bool:
    plain = [field.name for field in fields(Network) if field.name != "decoding"]
    return (
        all(getattr(first, name) == getattr(second, name) for name in plain)
        and np.array_equal(first.decoding.anchors, second.decoding.anchors)
        and first.decoding.multibox == second.decoding.multibox
    )


def test_network_has_all_that_is_known_of_it(prefix: Path, cache_dir: Path) -> None:
    network = prepare_network(prefix, 0, EDGE, cache_dir)

    assert network.name == "net"
    assert network.family == "mxnet_ssd"
    assert network.classes == ("cat", "dog")
    assert network.edge == EDGE
    assert network.sha256 == checkpoint_sha256(prefix, 0)
    assert (network.prefix, network.epoch) == (prefix, 0)
    assert network.decoding.anchors.shape == (224, 4)
    assert network.decoding.multibox.variances == (0.1, 0.1, 0.2, 0.2)
    assert network.onnx_path.is_relative_to(cache_dir)
    assert network.onnx_path.stat().st_size > 1000


def test_second_time_finds_what_the_first_made(prefix: Path, cache_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    first, second = (prepare_network(prefix, 0, EDGE, cache_dir) for _ in range(2))

    assert conversions(caplog) == 1
    assert same(first, second)
    assert [path.name for path in cache_dir.iterdir()] == [first.onnx_path.parent.name]


def test_other_content_and_other_edges_are_other_entries(prefix: Path, cache_dir: Path) -> None:
    paths = {prepare_network(prefix, 0, edge, cache_dir).onnx_path for edge in (EDGE, 64)}
    (prefix.parent / "synset.txt").write_text("cow\nhorse\n", encoding="utf-8")

    renamed = prepare_network(prefix, 0, EDGE, cache_dir)

    assert renamed.classes == ("cow", "horse")
    assert len(paths | {renamed.onnx_path}) == 3


def test_checkpoint_may_move(prefix: Path, cache_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    prepare_network(prefix, 0, EDGE, cache_dir)
    moved = prefix.parent.rename(prefix.parent.with_name("elsewhere")) / prefix.name

    assert prepare_network(moved, 0, EDGE, cache_dir).prefix == moved
    assert conversions(caplog) == 1


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "model cut off": (ONNX_NAME, cut_off),
    "model changed": (ONNX_NAME, flip),
    "model missing": (ONNX_NAME, Path.unlink),
    "anchors changed": (ANCHORS_NAME, flip),
    "description cut off": (DESCRIPTION_NAME, cut_off),
    "description changed": (
        DESCRIPTION_NAME,
        lambda path: path.write_text(path.read_text().replace('"edge": 32', '"edge": 33')),
    ),
    "description empty": (DESCRIPTION_NAME, lambda path: path.write_text("{}")),
    "description a number": (DESCRIPTION_NAME, lambda path: path.write_text("7")),
    "description missing": (DESCRIPTION_NAME, Path.unlink),
}


@pytest.mark.parametrize(("name", "damage"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_entry_is_made_anew(
    name: str, damage: Callable[[Path], object], prefix: Path, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = prepare_network(prefix, 0, EDGE, cache_dir)
    content = first.onnx_path.read_bytes()
    damage(first.onnx_path.with_name(name))

    second = prepare_network(prefix, 0, EDGE, cache_dir)

    assert conversions(caplog) == 2
    assert same(first, second)
    assert second.onnx_path.read_bytes() == content
    assert [path.name for path in cache_dir.iterdir()] == [first.onnx_path.parent.name]


def test_several_at_once_get_the_same_network(prefix: Path, cache_dir: Path) -> None:
    networks: list[Network] = []
    together = threading.Barrier(4)

    def prepare() -> None:
        together.wait()
        networks.append(prepare_network(prefix, 0, EDGE, cache_dir))

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(networks) == 4
    assert all(same(networks[0], network) for network in networks)
    assert len(list(cache_dir.iterdir())) == 1


def test_entry_that_appears_meanwhile_is_kept(prefix: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def convert_slowly(*arguments: object) -> object:
        if not made:
            made.append(0)  # another process is faster
            made[0] = prepare_network(prefix, 0, EDGE, cache_dir).onnx_path.stat().st_ino
        return convert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "convert", convert_slowly)

    network = prepare_network(prefix, 0, EDGE, cache_dir)

    assert network.onnx_path.stat().st_ino == made[0]
    assert len(list(cache_dir.iterdir())) == 1


def test_checkpoint_that_cannot_be_converted_leaves_nothing(prefix: Path, cache_dir: Path) -> None:
    (prefix.parent / "synset.txt").write_text("cat\n", encoding="utf-8")

    with pytest.raises(CheckpointError, match="tells 2 classes apart"):
        prepare_network(prefix, 0, EDGE, cache_dir)

    assert not cache_dir.exists()


def test_cache_that_cannot_be_written_says_what_to_do(prefix: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")

    with pytest.raises(CheckpointError, match=r"cannot keep converted models .*: make it a folder .* or set DATA_DIR"):
        prepare_network(prefix, 0, EDGE, blocked)


def test_cache_that_forgets_is_an_error(prefix: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(cache, "_seal", lambda _: str(next(numbers)))

    with pytest.raises(CheckpointError, match="does not keep what is written to it"):
        prepare_network(prefix, 0, EDGE, cache_dir)
