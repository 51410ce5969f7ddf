"""Sends simulated photos through a Ray cluster, by the way of `detect --ray`; prints the coordinator's peak memory, and
what it raises where photos cannot be read any further.

Run in the environment of `make cluster`: ADDRESS COUNT.
"""

import itertools
import resource
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from detection.bulk.cluster import CHUNK, Cluster
from detection.bulk.files import PhotoFile

STEPS = 4


class Instant:
    """A worker that reads nothing and answers at once, but for photos of the bucket `gone`."""

    def chunks_at_once(self) -> int:
        return 2

    def lines(self, photos: Sequence[PhotoFile]) -> list[dict[str, Any]]:
        if photos[0].name.startswith("s3://gone/"):
            raise OSError(f"{photos[0].name} cannot be read")
        return [{"file": photo.name, "prediction": []} for photo in photos]


def make(_threads: int) -> Instant:
    return Instant()


def chunks(bucket: str, count: int) -> Iterator[list[PhotoFile]]:
    photos = (PhotoFile(f"s3://{bucket}/photos/{number:09}.jpg", partial(bytes, 1)) for number in range(count))
    while chunk := list(itertools.islice(photos, CHUNK)):
        yield chunk


def main(address: str, count: int) -> None:
    cluster = Cluster(address, make)
    answered, steps = 0, [count * step // STEPS for step in range(1, STEPS + 1)]
    for _, lines in cluster.answers(chunks("bucket", count)):
        answered += len(lines)
        if answered >= steps[0]:
            used = resource.getrusage(resource.RUSAGE_SELF)
            print(answered, used.ru_maxrss * 1024, round(used.ru_utime + used.ru_stime, 1), flush=True)
            steps.pop(0)
    try:
        list(cluster.answers(chunks("gone", 1000)))
    except OSError as error:
        print(str(error).splitlines()[-1])
    cluster.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
