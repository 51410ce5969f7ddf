"""Registry of all queues, in the order in which pages offer them, and of what fills them.

A new queue is a kind in this list; docs/review.md tells of it. One that has to be looked for has a filler too.
"""

from typing import Any

from detection.models import QueuePlace
from detection.review.queues import disagreements, unusual
from detection.review.queues.filling import Filler
from detection.review.queues.kinds import Answered, QueueKind
from detection.review.queues.listed import LOWEST, NEWEST
from detection.review.queues.measuring import MEASURE

KINDS: dict[str, QueueKind] = {
    kind.name: kind
    for kind in (LOWEST, NEWEST, MEASURE, disagreements.SHADOW, disagreements.TILES, unusual.RARE, unusual.UNLIKE)
}
FILLERS: tuple[Filler[Any], ...] = (*disagreements.FILLERS, *unusual.FILLERS)


def mark_places(detection_pk: int, answered: Answered) -> None:
    """Write whether people have said what the queues ask of a detection, into its places."""
    for place in QueuePlace.objects.filter(detection=detection_pk, queue__in=KINDS):
        is_done = KINDS[place.queue].is_done(place, answered)
        if place.is_done != is_done:
            QueuePlace.objects.filter(pk=place.pk).update(is_done=is_done)
