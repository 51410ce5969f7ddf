"""Addresses that webhooks may reach: public ones, and those in the networks that the operator allowed."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from detection.conf.values import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Networks whose addresses carry an IPv4 address in their last 32 bits, which is where the packets end up.
_CARRIERS = (
    ipaddress.IPv6Network("::ffff:0:0/96"),
    ipaddress.IPv6Network("::/96"),
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
)
_SIXTOFOUR = ipaddress.IPv6Network("2002::/16")
_LAST_32_BITS = 0xFFFFFFFF
_PRINTABLE = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


class AddressRefusedError(Exception):
    """The webhook's host has no address that may be reached; the message says what to do."""


def parsed(url: str) -> SplitResult:
    """Return the parts of a webhook's URL. Raises ValueError with what is wrong."""
    found = urlsplit(url)
    if found.scheme not in _PORTS or not found.hostname:
        raise ValueError("Write https://HOST/PATH, or http://HOST/PATH.")
    if found.username is not None or found.fragment or _PRINTABLE.fullmatch(url) is None:
        raise ValueError("Leave out user, password, fragment, spaces and letters beyond ASCII.")
    port_of(found)
    return found


def port_of(url: SplitResult) -> int:
    """Return the port of a URL. Raises ValueError."""
    return url.port or _PORTS[url.scheme]


def resolve(host: str, port: int, allowed: Sequence[Network]) -> list[str]:
    """Return the addresses of a host that may be reached, in the system's order; they are what to connect to, for a
    second look-up could give others.

    Raises AddressRefusedError where there is none, and OSError where the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    permitted = [each for each in addresses if is_permitted(each, allowed)]
    if not permitted:
        raise AddressRefusedError(
            f"{host} is {addresses[0]}, which is not a public address. "
            "If it may be told, its network has to be in WEBHOOK_NETWORKS."
        )
    return permitted


def is_permitted(address: str, allowed: Sequence[Network]) -> bool:
    """Return whether an address is public, or in an allowed network."""
    plain = _plain(ipaddress.ip_address(address.partition("%")[0]))
    return (plain.is_global and not plain.is_multicast) or any(plain in network for network in allowed)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _SIXTOFOUR:
        return ipaddress.IPv4Address(int(address) >> 80 & _LAST_32_BITS)
    # ::1 and :: are addresses of their own, though of the form of ::/96.
    if int(address) > 1 and any(address in carrier for carrier in _CARRIERS):
        return ipaddress.IPv4Address(int(address) & _LAST_32_BITS)
    return address
