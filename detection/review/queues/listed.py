"""Queues of all photos: the least sure first, and the newest first."""

from django.db.models import QuerySet
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.i18n.class_titles import class_title
from detection.models import ListEntry
from detection.review.queues.kinds import QueueKind
from detection.statistics.figures.words import percent_text


def _entries(class_name: str) -> QuerySet[ListEntry]:
    return ListEntry.objects.filter(class_name=class_name)


def _least_sure(entry: ListEntry) -> str:
    if entry.lowest >= 1.0:
        return gettext("The model reports no object in it.")
    said = {"class": class_title(entry.class_name), "probability": percent_text(entry.lowest)}
    if entry.class_name:
        return gettext("The least sure %(class)s in it has a probability of %(probability)s.") % said
    return gettext("The least sure object in it has a probability of %(probability)s.") % said


def _newest(entry: ListEntry) -> str:
    return gettext("Sent on %(when)s.") % {"when": localize(localtime(entry.created_at))}


LOWEST = QueueKind(
    "lowest",
    _("Least sure first"),
    _("Photos with the objects of which the model is least sure. Their precision is lower than that of all photos."),
    _entries,
    "is_reviewed",
    ("lowest", "detection_id"),
    _least_sure,
)
NEWEST = QueueKind(
    "newest",
    _("Newest first"),
    _("All photos, the newest first."),
    _entries,
    "is_reviewed",
    ("created_at", "detection_id"),
    _newest,
    is_descending=True,
)
