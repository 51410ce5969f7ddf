"""Parts of a base: all photos, each once, whatever the order."""

import argparse

import pytest

from detection.bulk.shard import ALL, Shard

NAMES = [f"folder/{number}.jpg" for number in range(2000)]


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_parts_are_all_photos_each_once_and_of_about_one_size(count: int) -> None:
    parts = [[name for name in NAMES if Shard(number, count).takes(name)] for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    assert max(map(len, parts)) < 1.3 * len(NAMES) / count


def test_a_name_stays_in_its_part() -> None:
    """Machines of other versions must agree: the hash is part of the interface."""
    assert [name for name in NAMES[:12] if Shard(1, 3).takes(name)] == NAMED
    assert Shard(1, 2).takes("\udcff.jpg") != Shard(2, 2).takes("\udcff.jpg")


NAMED = ["folder/0.jpg", "folder/5.jpg", "folder/9.jpg", "folder/11.jpg"]


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "a/b", "-1/2", "1/0"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 3/16"):
        Shard.parse(text)
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(ALL) == "1/1"
