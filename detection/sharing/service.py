"""Share links: made by whoever may see a photo or an album, opened by whoever has the address, until they end.

A link shows what its maker may see now: a photo that was deleted, or taken out of the album, is gone from it at once,
one that was put into the album is in it. It ends at its date, when it is revoked, and with its maker's account.
"""

import hashlib
import re
import secrets
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from detection.accounts.access import ANYBODY, Caller, visible_to
from detection.errors import RequestError
from detection.history.selectors import visible_detections
from detection.models import Album, Detection, ShareLink

DEFAULT_DAYS, MAX_DAYS = 7, 365
# Of one photo or album, that are open at the same time.
MAX_OPEN = 50
_SECRET_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class NoSuchLinkError(Exception):
    """No link has this secret."""


class LinkEndedError(Exception):
    """The link has ended, was revoked, or shows nothing any more."""


def create(target: Detection | Album, days: int, caller: Caller) -> tuple[ShareLink, str]:
    """Make a link to a detection or an album that the caller sees; return it with its secret, which is not kept.

    days: until it ends, 1 to MAX_DAYS. Raises RequestError.
    """
    if not 1 <= days <= MAX_DAYS:
        raise RequestError(gettext("Choose 1 to %(most)s days.") % {"most": MAX_DAYS})
    if isinstance(target, Album) and target.query:
        raise RequestError(gettext("A saved view cannot be shared. Put its photos into an album, and share that."))
    if links_of(target).count() >= MAX_OPEN:
        raise RequestError(gettext("It has %(count)s links already. Revoke one first.") % {"count": MAX_OPEN})
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    link = ShareLink.objects.create(
        secret_sha256=_hashed(secret),
        detection=target if isinstance(target, Detection) else None,
        album=target if isinstance(target, Album) else None,
        owner_id=caller.user_id,
        ends_at=timezone.now() + timedelta(days=days),
    )
    return link, secret


def visible_links(caller: Caller) -> QuerySet[ShareLink]:
    """Return the open links that a caller may see and revoke, the newest first."""
    return visible_to(caller, _open()).select_related("detection__photo", "album")


def links_of(target: Detection | Album) -> QuerySet[ShareLink]:
    """Return the open links to a detection or an album, the newest first."""
    return _open().filter(**{"detection" if isinstance(target, Detection) else "album": target})


def revoke(link: ShareLink) -> None:
    """End a link now; doing so twice changes nothing."""
    ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now())


def find(secret: str) -> ShareLink:
    """Return the open link of a secret. Raises NoSuchLinkError and LinkEndedError.

    Looked up by its hash, so that the time this takes tells nothing about other secrets.
    """
    if not _SECRET.fullmatch(secret):
        raise NoSuchLinkError
    links = ShareLink.objects.select_related("detection", "album", "owner")
    link = links.filter(secret_sha256=_hashed(secret)).first()
    if link is None:
        raise NoSuchLinkError
    if not link.is_open or (link.owner is not None and not link.owner.is_active):
        raise LinkEndedError
    return link


def detections_of(link: ShareLink) -> QuerySet[Detection]:
    """Return what a link shows now, the newest photo first."""
    maker = ANYBODY if link.owner is None else Caller(link.owner.pk, link.owner.is_staff)
    visible = visible_detections(maker)
    if link.album is not None:
        return visible.filter(album_photos__album=link.album)
    return visible.filter(share_links=link)


def _open() -> QuerySet[ShareLink]:
    return ShareLink.objects.filter(revoked_at=None, ends_at__gt=timezone.now())


def _hashed(secret: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
