"""The admin's search: whatever is typed is looked for where an index finds it, also among a million photos."""

import re
import uuid
from typing import Protocol

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from detection.known_models import models_in_history
from detection.models import Detection, Photo

MAX_PHOTOS = 1_000
DETECTIONS_HELP = _("How the photo's name begins, the detection's id, the photo's hash, or the model's name")
PHOTOS_HELP = _("How the photo's name begins, its id or its hash")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class _Admin(Protocol):
    """What a search needs of a ModelAdmin."""

    def message_user(self, request: HttpRequest, message: str, level: int) -> None: ...


def _matching(text: str) -> Q:
    """Photos of that id or hash, or whose names begin so, whatever the case of their letters."""
    if identity := _as_uuid(text):
        return Q(uuid=identity)
    if _SHA256.fullmatch(text):
        return Q(sha256=text.lower())
    return Q(original_name__istartswith=text)


def photos(admin: _Admin, request: HttpRequest, listed: QuerySet[Photo], text: str) -> QuerySet[Photo]:
    """What the list of photos shows; all of it for no text."""
    return listed.filter(pk__in=_found(admin, request, text)) if text else listed


def detections(admin: _Admin, request: HttpRequest, listed: QuerySet[Detection], text: str) -> QuerySet[Detection]:
    """What the list of detections shows: those of a model where its whole name was typed, else those of photos."""
    if not text:
        return listed
    if any(text == name for name, _version in models_in_history()):
        return listed.filter(model_name=text)
    if identity := _as_uuid(text):
        return listed.filter(uuid=identity)
    return listed.filter(photo__in=_found(admin, request, text))


def _found(admin: _Admin, request: HttpRequest, text: str) -> list[int]:
    """The photos' primary keys. Of very many only the first ones: to put them in order would take seconds."""
    found = list(Photo.objects.filter(_matching(text)).order_by().values_list("pk", flat=True)[: MAX_PHOTOS + 1])
    if len(found) > MAX_PHOTOS:
        told = gettext("More than %(count)s photos match, and the others are not shown. Type more of the name.")
        admin.message_user(request, told % {"count": f"{MAX_PHOTOS:,}"}, messages.WARNING)
    return found[:MAX_PHOTOS]


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
