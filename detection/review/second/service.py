"""Second opinions: which reviewed photos get one, what is recorded, and how far the reviewers agree."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from detection.accounts.access import Caller, visible_to
from detection.errors import RequestError
from detection.history.annotations import Judged, objects_of
from detection.history.selectors import shown
from detection.inference.types import is_reported
from detection.models import Detection, QueuePlace, Review, SecondOpinion
from detection.review import claims
from detection.review.service import CLASS_NAME_LENGTH, Reviewer, reviewable
from detection.web.text import as_text

QUEUE = "second"
NEWEST_REVIEWS = 10_000


def draw(share: float, newest: int = NEWEST_REVIEWS, seed: int | None = None) -> int:
    """Draw a share of the newest reviewed photos that have not been drawn, by chance; return how many were.

    Photos that somebody without an account reviewed are left out: nobody can be told apart from them.
    """
    reviews = Review.objects.filter(is_reviewed=True, detection__reported_count__gt=0).exclude(reviewer_name="")
    found = reviews.order_by("-pk").values_list("detection_id", "detection__owner_id", "detection__queue_places__queue")
    queues: defaultdict[tuple[int, int], set[str | None]] = defaultdict(set)
    for pk, owner_id, queue in found[:newest]:
        queues[pk, owner_id or 0].add(queue)
    free = [key for key, of_photo in queues.items() if QUEUE not in of_photo]
    # Not for secrets: any photos do, as long as nobody chose them.
    chance = random.Random(seed)  # noqa: S311
    chosen = chance.sample(sorted(free), round(len(free) * share))
    places = [
        QueuePlace(queue=QUEUE, detection_id=pk, owner_id=owner_id, position=chance.random()) for pk, owner_id in chosen
    ]
    QueuePlace.objects.bulk_create(places, ignore_conflicts=True)
    return len(places)


def places_for(caller: Caller, reviewer: Reviewer) -> QuerySet[QueuePlace]:
    """Return the places that wait for this reviewer: none of photos that they reviewed themselves."""
    if reviewer.user_id is None:
        return QueuePlace.objects.none()
    places = QueuePlace.objects.filter(queue=QUEUE, is_done__in=[False], detection__review__is_reviewed__in=[True])
    places = places.exclude(detection__review__reviewer_name=reviewer.name)
    return visible_to(caller, shown(places, "detection_id"), owner="owner_id").order_by("position", "detection_id")


def next_for(caller: Caller, reviewer: Reviewer) -> Detection | None:
    """Hand the next photo to a reviewer; None where none waits, or it was deleted just now."""
    if reviewer.user_id is None:
        return None
    place = next(iter(claims.handed(places_for(caller, reviewer), reviewer.user_id, 1)), None)
    return None if place is None else reviewable(Detection.objects.filter(pk=place.detection_id)).first()


def asked_of(detection: Detection) -> list[Judged]:
    """Return the objects that the model reported, as the first reviewer left them."""
    return [one for one in objects_of(detection) if one.found and is_reported(one.found, detection.thresholds)]


def record(detection: Detection, classes: Mapping[str, str], reviewer: Reviewer) -> None:
    """Record a second opinion. classes: by the key of each object; empty for none. Raises RequestError; then nothing
    was written.
    """
    objects = asked_of(detection)
    if {one.key for one in objects} - classes.keys():
        raise RequestError(gettext("Say of each object what it is, or that it is none."))
    with transaction.atomic():
        place = QueuePlace.objects.select_for_update().filter(queue=QUEUE, detection=detection).first()
        first = Review.objects.filter(detection=detection, is_reviewed=True).first()
        is_of_another = first is not None and reviewer.user_id is not None and first.reviewer_name != reviewer.name
        if place is None or place.is_done or first is None or not is_of_another:
            raise RequestError(gettext("This photo does not wait for a second opinion of yours. Go on to the next."))
        SecondOpinion.objects.create(
            detection=detection,
            first_name=first.reviewer_name,
            reviewer_id=reviewer.user_id,
            reviewer_name=reviewer.name,
            classes={
                one.key: [
                    one.found.class_name if one.found else "",
                    one.class_name if one.is_there else "",
                    as_text(classes[one.key]).strip()[:CLASS_NAME_LENGTH],
                ]
                for one in objects
            },
        )
        QueuePlace.objects.filter(pk=place.pk).update(is_done=True)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of first and second reviewers on the objects of a class of the model, "" for all.

    objects: that both judged; same: on which they agree. kappa: Cohen's, the agreement beyond that of chance (1960,
    doi:10.1177/001316446002000104): of a class on whether the objects are of it, of all on which class they are; None
    where each reviewer gave one answer only, the same one.
    """

    class_name: str
    objects: int
    same: int
    kappa: float | None

    @property
    def share(self) -> float:
        """Share of the objects on which they agree."""
        return self.same / self.objects


def agreement(newest: int = NEWEST_REVIEWS) -> list[Agreement]:
    """Return the agreement on the newest second opinions, of all classes first, then of each by name."""
    opinions = SecondOpinion.objects.filter(detection__removal=None).order_by("-pk")
    triples = [tuple(each) for row in opinions.values_list("classes", flat=True)[:newest] for each in row.values()]
    if not triples:
        return []
    by_class: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for model, first, second in triples:
        by_class[model].append(("yes" if first == model else "no", "yes" if second == model else "no"))
    together = [(first, second) for _, first, second in triples]
    return [_agreement("", together), *(_agreement(name, pairs) for name, pairs in sorted(by_class.items()))]


def _agreement(class_name: str, pairs: list[tuple[str, str]]) -> Agreement:
    same = sum(first == second for first, second in pairs)
    return Agreement(class_name, len(pairs), same, cohens_kappa(pairs))


def cohens_kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Return (observed - chance) / (1 - chance) agreement of pairs of answers; None where chance alone is 1."""
    pairs = list(pairs)
    count = len(pairs)
    observed = sum(first == second for first, second in pairs) / count
    answers = {answer for pair in pairs for answer in pair}
    by_chance = (
        sum(sum(first == each for first, _ in pairs) * sum(second == each for _, second in pairs) for each in answers)
        / count**2
    )
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
