"""Splits of a training set: groups of near duplicates are dealt out whole."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from detection.models import TrainingPhoto

Split = TrainingPhoto.Split
SHARES: Mapping[str, float] = {Split.TRAIN: 0.8, Split.VALID: 0.1, Split.TEST: 0.1}
_SEED = 0


def split_of_each(groups: Sequence[int], before: Sequence[str | None]) -> list[str]:
    """Return the split of each photo, (N,), such that a group is in one split.

    before: the split of each photo in the version before, None for a new one. A group keeps it; of several, train
    counts first: what a model was trained on never measures it. The others go, largest first, where most is missing of
    the shares.
    """
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    order = np.random.default_rng(_SEED).permutation(len(members)).tolist()
    shuffled = [list(members.values())[number] for number in order]
    kept = {id(places): _kept([before[place] for place in places]) for places in shuffled}
    counts: Counter[str] = Counter()
    splits = [""] * len(groups)
    for places in sorted(shuffled, key=lambda one: (kept[id(one)] is None, -len(one))):
        split = kept[id(places)] or max(SHARES, key=lambda name: SHARES[name] * len(groups) - counts[name])
        counts[split] += len(places)
        for place in places:
            splits[place] = split
    return splits


def _kept(before: Sequence[str | None]) -> str | None:
    return next((split for split in SHARES if split in before), None)
