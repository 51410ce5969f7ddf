"""Albums and saved views: made, renamed and deleted by whoever may see them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext

from detection.accounts.access import Caller, visible_to
from detection.errors import RequestError
from detection.models import Album
from detection.web.text import as_text

NAME_LENGTH = 255


def visible_albums(caller: Caller) -> QuerySet[Album]:
    """Return the albums and saved views that a caller may see."""
    return visible_to(caller, Album.objects.all())


def create(name: str, caller: Caller, query: str = "") -> Album:
    """Make an album, or with a query a saved view. Raises RequestError for a name without a letter."""
    return Album.objects.create(name=clean_name(name), owner_id=caller.user_id, query=query)


def find(identity: Any, caller: Caller) -> Album:
    """Return an album of chosen photos by its id. Raises RequestError."""
    try:
        return visible_albums(caller).get(uuid=UUID(str(identity)), query="")
    except (ValueError, Album.DoesNotExist) as error:
        raise RequestError(gettext("There is no such album. Choose another one.")) from error


def clean_name(name: str) -> str:
    """Return a name as it is kept. Raises RequestError for one without a letter."""
    kept = as_text(name).strip()[:NAME_LENGTH]
    if not kept:
        raise RequestError(gettext("Give it a name."))
    return kept
