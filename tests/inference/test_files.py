"""Files that are replaced: whole or not at all, and readable by whom the umask lets read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.inference.files import replace_file, replacing


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_new_file_is_as_private_as_the_umask_says(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    replace_file(path, b"{}")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"{}", 0o666 & ~umask)


def fail_half_way(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"new")
        raise ValueError("half")


def test_what_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="half"):
        fail_half_way(path)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]
