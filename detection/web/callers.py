"""Key of the current request's caller, for shares of common resources: a user where known, else an address."""

import ipaddress
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Generic, TypeVar

V = TypeVar("V")

# One site has 2^64 addresses of its own with IPv6.
_SITE_PREFIX = 64
_current: ContextVar[str] = ContextVar("detector_caller", default="")


class Binding(Generic[V]):
    """Context manager that gives a context variable a value in its block, at a third of a generator's cost: each
    request enters several.
    """

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[V], value: V) -> None:
        self._variable, self._value = variable, value

    def __enter__(self) -> None:
        self._token: Token[V] = self._variable.set(self._value)

    def __exit__(self, *_error: object) -> None:
        self._variable.reset(self._token)


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


def bound(key: str) -> Binding[str]:
    """Answer a request of that caller in a `with` block."""
    return Binding(_current, key)
