"""Sends simulated photos through a Ray cluster, by the way of `detect --ray`; prints the coordinator's peak memory.

Run in the environment of `make cluster`: ADDRESS COUNT.
"""

import itertools
import resource
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from detection.bulk.cluster import Cluster
from detection.bulk.files import PhotoFile
from detection.bulk.pipeline import in_order

STEPS = 4


class Instant:
    """A worker that reads nothing and answers at once."""

    def about(self) -> str:
        return ""

    def lines(self, photos: Sequence[PhotoFile]) -> list[dict[str, Any]]:
        return [{"file": photo.name, "prediction": []} for photo in photos]


def make(_threads: int) -> Instant:
    return Instant()


def names(count: int) -> Iterator[list[PhotoFile]]:
    photos = (PhotoFile(f"s3://bucket/photos/{number:09}.jpg", partial(bytes, 1)) for number in range(count))
    while chunk := list(itertools.islice(photos, 1000)):
        yield chunk


def main(address: str, count: int) -> None:
    cluster = Cluster(address, make)
    answered, step = 0, count // STEPS
    for lines in in_order(names(count), cluster.lines, cluster.at_once):
        answered += len(lines)
        if answered % step == 0:
            print(answered, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
    cluster.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
