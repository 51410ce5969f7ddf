"""Key of the current request's caller, for shares of common resources: a user where known, else an address."""

import contextlib
import ipaddress
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache

# One site has 2^64 addresses of its own with IPv6.
_SITE_PREFIX = 64
_current: ContextVar[str] = ContextVar("detector_caller", default="")


@lru_cache(maxsize=4096)
def site_of(address: str) -> str:
    """Return the part of an address that stands for one caller: all of IPv4, the first 64 bits of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _SITE_PREFIX), strict=False))


def key_of_user(user_id: int) -> str:
    """Return the key of a user, who may come from many addresses."""
    return f"user:{user_id}"


def current() -> str:
    """Return the key of the caller whose request is being answered; "" outside of requests."""
    return _current.get()


@contextlib.contextmanager
def bound(key: str) -> Iterator[None]:
    """Answer a request of that caller."""
    token = _current.set(key)
    try:
        yield
    finally:
        _current.reset(token)
