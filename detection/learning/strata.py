"""Strata of a class's objects by probability, the number of objects to judge in each, and the random draw of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detection.inference.detector import KEPT_PROBABILITY
from detection.learning.estimate import Floats

# Below the threshold too: what a lower one would let in can only be known by looking there.
EDGES = np.array([KEPT_PROBABILITY, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
COUNT = len(EDGES) - 1

Integers = NDArray[np.int64]


def stratum_of(scores: Floats) -> Integers:
    """Return the stratum of each probability: (N,) to (N,), 0 for the least sure."""
    return np.clip(np.searchsorted(EDGES, scores, side="right") - 1, 0, COUNT - 1)


def allocate(counts: Sequence[int] | Integers, verdicts: int) -> list[int]:
    """Return how many objects of each stratum are to be judged, with `verdicts` in all: half of them in equal shares,
    so that no stratum is left unknown, half in proportion to the objects; never more than there are.
    """
    have = np.asarray(counts, np.float64)
    wanted = np.where(have > 0, verdicts / 2 / max((have > 0).sum(), 1), 0) + verdicts / 2 * have / max(have.sum(), 1)
    sizes = np.minimum(np.floor(wanted), have)
    while sizes.sum() < min(verdicts, have.sum()):
        # The most thinly judged stratum is next.
        free = np.where(sizes < have, wanted - sizes, -np.inf)
        sizes[int(free.argmax())] += 1
    return [int(size) for size in sizes]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Drawn objects. chosen: (n,) their places among all. strata: (n,) group * COUNT + the band of the probability.
    positions: (n,) the order in which they are to be judged. populations, sizes: (groups * COUNT,) objects of each
    stratum, and how many of them were drawn.
    """

    chosen: Integers
    strata: Integers
    positions: Floats
    populations: Integers
    sizes: Integers


def draw(groups: Integers, scores: Floats, verdicts: int, random: Generator) -> Draw:
    """Draw `verdicts` objects without replacement, each of a stratum with the same chance: its size / its population.

    groups, scores: (N,) of all objects; groups are numbered from 0. The j-th of n objects of a stratum has the
    position (j + u) / n with u random in [0, 1): whoever judges the first ones has judged a random part of each.
    """
    count = int(groups.max(initial=-1)) + 1
    strata = groups * COUNT + stratum_of(scores)
    populations = np.bincount(strata, minlength=count * COUNT).astype(np.int64)
    per_group = populations.reshape(count, COUNT)
    shares = allocate(per_group.sum(1), verdicts)
    sizes = np.array([allocate(row, share) for row, share in zip(per_group, shares, strict=True)], np.int64).ravel()
    order = np.argsort(strata, kind="stable")
    starts = np.cumsum(populations) - populations
    chosen, positions = [np.zeros(0, np.int64)], [np.zeros(0)]
    for start, population, size in zip(starts, populations, sizes, strict=True):
        if size:
            chosen.append(order[start + random.choice(population, size, replace=False)])
            positions.append((np.arange(size) + random.random(size)) / size)
    places = np.concatenate(chosen)
    return Draw(places, strata[places], np.concatenate(positions), populations, sizes)


def weights_of(bands: Integers, populations: Integers) -> Floats:
    """Return how many objects each judged one of a group stands for: (n,) bands of them to (n,).

    populations: (COUNT,) objects of each band. Those of a band without a judged object are added to the nearest one
    that has some (collapsed strata), the less sure of two.
    """
    judged = np.bincount(bands, minlength=COUNT)
    known = np.flatnonzero(judged)
    standing = np.zeros(COUNT)
    for band, population in enumerate(populations):
        if len(known):
            standing[known[np.abs(known - band).argmin()]] += population
    return np.asarray((standing / np.maximum(judged, 1))[bands], np.float64)
