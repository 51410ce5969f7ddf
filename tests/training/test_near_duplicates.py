"""Near duplicates are found and stay in one split."""

import io
from collections import Counter

import numpy as np
from PIL import Image

from detection.training.near_duplicates import fingerprint, groups_of
from detection.training.splits import split_of_each


def scene(seed: int, shift: int = 0) -> Image.Image:
    """A made photo of random blocks, moved by some pixels."""
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    large = Image.fromarray(blocks).resize((480, 360), Image.Resampling.BICUBIC)
    return large.crop((shift, 0, 440 + shift, 360))


def as_jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_copies_sizes_and_neighbouring_frames_are_alike_and_other_scenes_are_not() -> None:
    prints, scenes = [], []
    for seed in range(40):
        picture = scene(seed)
        for alike in (picture, picture.resize((220, 180)), scene(seed, shift=2)):
            prints.append(fingerprint(as_jpeg(alike)))
            scenes.append(seed)
        prints.append(fingerprint(as_jpeg(picture, quality=40)))
        scenes.append(seed)
    groups = groups_of(prints).tolist()
    assert len(set(zip(groups, scenes, strict=True))) == len(set(groups)) == 40


def test_alike_to_alike_is_one_group_across_blocks_of_the_comparison() -> None:
    chain = [(1 << bits) - 1 for bits in range(0, 31, 6)]
    apart = [int(one) for one in np.random.default_rng(0).integers(1 << 40, 1 << 63, 600)]
    groups = groups_of([chain[0], *apart, *chain[1:]]).tolist()
    assert len({groups[0], *groups[-5:]}) == 1
    assert len(set(groups)) == 601
    assert groups_of([]).tolist() == []


def test_groups_are_dealt_out_whole_in_shares_of_the_photos() -> None:
    groups = [number // 5 for number in range(500)]
    splits = split_of_each(groups, [None] * 500)
    assert Counter(splits) == {"train": 400, "valid": 50, "test": 50}
    assert len(set(zip(groups, splits, strict=True))) == 100
    assert split_of_each(groups, [None] * 500) == splits


def test_photos_keep_their_split_and_what_was_trained_on_is_never_measured_on() -> None:
    groups = [0, 1, 1, 2, 2, *range(3, 43)]
    before: list[str | None] = ["test", "test", None, "train", "test", *[None] * 40]
    splits = split_of_each(groups, before)
    assert splits[:5] == ["test", "test", "test", "train", "train"]
    assert Counter(splits[5:])["train"] > 30


def test_photos_that_are_all_alike_are_all_trained_on() -> None:
    assert set(split_of_each([0] * 20, [None] * 20)) == {"train"}
