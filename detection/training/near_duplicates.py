"""Groups of photos that are nearly the same: frames of one scene, copies, other sizes."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Bits of 64 in which near duplicates differ at most. Photos of different things differ in about 32.
MOST_BITS = 6
_EDGE = 8
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def fingerprint(jpeg: bytes) -> int:
    """Return the difference hash of a picture, 64 bits: whether each of 8 x 8 cells is brighter than the one right of
    it (N. Krawetz, "Kind of Like That", 2013).
    """
    with Image.open(io.BytesIO(jpeg)) as picture:
        cells = np.asarray(picture.convert("L").resize((_EDGE + 1, _EDGE), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(cells[:, :-1] > cells[:, 1:]).tobytes(), "big")


def groups_of(fingerprints: list[int], most_bits: int = MOST_BITS) -> NDArray[np.int64]:
    """Return the number of each photo's group, (N,), from 0.

    Two photos are alike where at most so many bits differ; those that are alike to one of a group are in it.
    """
    group = np.empty(len(fingerprints), np.int64)
    left, prints = np.arange(len(fingerprints)), np.array(fingerprints, np.uint64)
    number = 0
    while len(left):
        # Each of a group takes those that are like it out of what is left, so that many alike photos are no more work.
        found = [(int(left[0]), prints[0])]
        left, prints = left[1:], prints[1:]
        while found:
            place, one = found.pop()
            group[place] = number
            alike = _bits(prints ^ one) <= most_bits
            if alike.any():
                found += zip(left[alike].tolist(), prints[alike], strict=True)
                left, prints = left[~alike], prints[~alike]
        number += 1
    return group


def _bits(prints: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the number of bits that are set, (N,) to (N,)."""
    bits: NDArray[np.int64] = _ONES[prints.view(np.uint8).reshape(-1, 8)].sum(axis=1, dtype=np.int64)
    return bits
