"""Measures how soon drift is found, and how often where there is none: simulated months of 1,000 photos a day, with
known truth.

    .venv/bin/python -m bench.drift --seeds 100 --first-seed 5000

A history has 28 days of a version's first weeks and 30 more. Days differ by themselves (weekends, weather), so their
means vary more than those of samples would. A step begins with a random day of the month and lasts. No database, no
photos: the measures of days are drawn as `detection/drift/measures.py` would count them.
"""

import argparse
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detection.drift.comparison import MAX_REFERENCE_DAYS, MIN_REFERENCE_DAYS, WINDOWS, Day, Measure, compare

PHOTOS_A_DAY = 1_000
FIRST_DAYS, MONTH = 28, 30
WITHIN_DAYS = 3
_CLASSES = 20
_WEEK = 7
# What each step changes: the share of a class from 0.2 to 0.3, a mean probability by 0.05 (deviation 0.13), log2 of the
# blur by 0.6 (1.5), brightness by 20 (40).
STEPS = ("class share", "scores", "blur", "brightness")


@dataclass(frozen=True, slots=True)
class Found:
    """Outcome of one history: days with findings before a step, and days from the step to the first finding after it
    (None: never).
    """

    false_days: list[int] = field(default_factory=list)
    delay: int | None = None


def day_of(random: np.random.Generator, weekday: int, step: str = "") -> Day:
    """Return the measures of a day; step: what has changed, "" for nothing."""
    count = int(random.poisson(PHOTOS_A_DAY))
    is_weekend = weekday >= _WEEK - 2
    shares = 0.2 * 0.75 ** np.arange(_CLASSES)
    if step == "class share":
        shares[0] = 0.3
    logits = np.log(shares / (1 - shares)) + random.normal(0, 0.1, _CLASSES) - 0.1 * is_weekend
    seen = random.random((count, _CLASSES)) < 1 / (1 + np.exp(-logits))
    objects = seen.sum(axis=1) + random.poisson(0.5, count) * seen.any(axis=1)
    measures = {f"class:{place}": share(each) for place, each in enumerate(seen.T) if each.any()}
    measures["empty"] = share(objects == 0)
    measures["format:JPEG"] = share(random.random(count) < random.normal(0.95, 0.01))
    scores = random.beta(6, 2.5, int((objects > 0).sum())) + random.normal(0, 0.005) - 0.05 * (step == "scores")
    brightness = random.normal(120 + random.normal(0, 5), 40, count) - 20 * (step == "brightness")
    sharpness = random.normal(8 + random.normal(0, 0.1), 1.5, count) - 0.6 * (step == "blur")
    means = {
        "objects": objects,
        "score": np.clip(scores, 0.0, 1.0),
        "object size": random.normal(-3 + random.normal(0, 0.05), 2, len(scores)),
        "photo size": random.choice([18.2, 21.0, 23.5], count, p=[0.3, 0.5, 0.2]),
        "brightness": np.clip(brightness, 0, 255),
        "sharpness": np.clip(sharpness, 0, None),
    }
    return measures | {name: Measure(len(each), float(each.mean()), float(each.var())) for name, each in means.items()}


def share(is_so: NDArray[np.bool_]) -> Measure:
    """Return the measure of a share."""
    mean = float(np.mean(is_so))
    return Measure(len(is_so), mean, mean * (1 - mean))


def history(seed: int, step: str = "") -> Found:
    """Compare each day with the first ones before it that have no finding, as the service does; "" has no step."""
    random = np.random.default_rng(seed)
    begins = FIRST_DAYS + int(random.integers(0, MONTH - WITHIN_DAYS)) if step else FIRST_DAYS + MONTH
    newest: list[Day] = []
    reference: list[Day] = []
    found = Found()
    for day in range(FIRST_DAYS + MONTH):
        measures = day_of(random, day % _WEEK, step if day >= begins else "")
        newest = [*newest, measures][-max(WINDOWS) :]
        findings = compare(newest, reference) if len(reference) >= MIN_REFERENCE_DAYS else []
        if findings and day >= begins:
            return Found(found.false_days, day - begins + 1)
        if findings:
            found.false_days.append(day)
        elif len(reference) < MAX_REFERENCE_DAYS:
            reference.append(measures)
    return found


def main() -> None:
    """Print a line for each kind of step, and one for histories without one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="number of histories of each kind")
    parser.add_argument("--first-seed", type=int, default=0, help="begin elsewhere to see histories never seen before")
    given = parser.parse_args()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    stable = [history(seed) for seed in seeds]
    days = len(stable) * (FIRST_DAYS + MONTH - MIN_REFERENCE_DAYS)
    false_days = sum(len(each.false_days) for each in stable)
    print(f"stable: {false_days} days with findings of {days} ({30 * false_days / days:.3f} a month)")
    print(f"  histories with more than one: {sum(len(each.false_days) > 1 for each in stable)} of {len(stable)}")
    for step in STEPS:
        delays = [history(seed, step).delay for seed in seeds]
        in_time = sum(delay is not None and delay <= WITHIN_DAYS for delay in delays)
        on_first = sum(delay == 1 for delay in delays)
        print(
            f"{step}: found within {WITHIN_DAYS} days in {in_time} of {len(delays)} (on the first in {on_first})",
            flush=True,
        )


if __name__ == "__main__":
    main()
