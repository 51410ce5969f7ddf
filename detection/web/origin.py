"""Cross-site rule: which pages may send requests and open sockets with a visitor's access to this server.

Browsers send the origin of a page (RFC 6454), and its relation to the address (Fetch Metadata); programs send neither.
"""

from collections.abc import Collection
from enum import Enum

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing, which links of other sites use (RFC 9110, section 9.2.1)."""


class Sender(Enum):
    """Sender of a request: this site or a program; an origin that may belong to the same site; another site."""

    OWN = "own"
    OTHER_ORIGIN = "other origin"
    OTHER_SITE = "other site"


_BY_FETCH_METADATA = {"same-origin": Sender.OWN, "none": Sender.OWN, "same-site": Sender.OTHER_ORIGIN}


def sender_of(origin: str | None, own_origins: Collection[str], fetch_site: str | None = None) -> Sender:
    """Return the sender by the headers `Origin` and `Sec-Fetch-Site`; None where they are missing.

    own_origins: this server's, and those that its operator trusts (the addresses in ALLOWED_HOSTS): a proxy may change
    host and scheme. Cookies ignore ports, so a page of another program on the same machine is another origin.
    """
    if origin is not None and origin.lower() in own_origins:
        return Sender.OWN
    if fetch_site is not None:
        return _BY_FETCH_METADATA.get(fetch_site, Sender.OTHER_SITE)
    return Sender.OWN if origin is None else Sender.OTHER_ORIGIN
