"""Kinds of values of settings, and their parsers."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dj_database_url

from detection.conf.reading import Kind

# As the only word of a list: not the default, and nothing else.
NOTHING = "none"

_DATABASE_SCHEMES = ("postgres://", "postgresql://", "sqlite://")
_PERIODS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "hour": 3600.0, "h": 3600.0, "day": 86400.0, "d": 86400.0}
_ORIGIN = re.compile(r"(https?|[a-z][a-z0-9+.-]*-extension)://[^\s/?#@,*]+")
_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")
_EMAIL_ADDRESS = re.compile(r"[^\s@,;:<>()\"\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Limit of `count` requests in `period_s` seconds."""

    count: int
    period_s: float

    @classmethod
    def parse(cls, raw: str) -> "Rate":
        """Parse 600/min, 10/s, 1000/hour. Raises ValueError."""
        count, _, period = raw.strip().partition("/")
        if period not in _PERIODS_S:
            raise ValueError(raw)
        return cls(in_range(int(count), 1, 10**9), _PERIODS_S[period])


def whole(low: int, high: int) -> Kind:
    """Return the kind of whole numbers in [low, high]."""
    return Kind(lambda raw: in_range(int(raw), low, high), f"a whole number from {low} to {high}, or unset it")


def number(low: float, high: float) -> Kind:
    """Return the kind of numbers in [low, high]."""
    return Kind(lambda raw: in_range(float(raw), low, high), f"a number from {low:g} to {high:g}, or unset it")


def choice(choices: tuple[str, ...]) -> Kind:
    """Return the kind of one of some words."""

    def parse(raw: str) -> str:
        if raw not in choices:
            raise ValueError(raw)
        return raw

    return Kind(parse, f"one of {', '.join(choices)}, or unset it")


def in_range(value: Any, low: float, high: float) -> Any:
    """Return the value. Raises ValueError unless it is in [low, high]."""
    if not low <= value <= high:
        raise ValueError(value)
    return value


def boolean(raw: str) -> bool:
    """Parse true or false, and other words for them. Raises ValueError."""
    try:
        return _BOOLEANS[raw.strip().lower()]
    except KeyError as error:
        raise ValueError(raw) from error


def words(raw: str) -> tuple[str, ...]:
    """Split a list; `none` is an empty one."""
    found = tuple(word.strip() for word in raw.split(",") if word.strip())
    return () if found == (NOTHING,) else found


def email_address(raw: str) -> str:
    """Check one address, without a name before it. Raises ValueError."""
    address = raw.strip()
    if not address.isascii() or _EMAIL_ADDRESS.fullmatch(address) is None:
        raise ValueError(raw)
    return address


def _email_addresses(raw: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(email_address(word) for word in words(raw)))


def _origins(raw: str) -> tuple[str, ...]:
    """Split origins as browsers send them (RFC 6454), or `*`. Raises ValueError."""
    found = words(raw)
    for each in found:
        if each != "*" and not _ORIGIN.fullmatch(each):
            raise ValueError(each)
    return found


def _networks(raw: str) -> tuple[Network, ...]:
    """Parse networks such as 10.0.0.0/8; one address is a network of its own. Raises ValueError."""
    return tuple(ipaddress.ip_network(word) for word in words(raw))


def _entry_point(raw: str) -> str:
    path = "/" + raw.strip().strip("/")
    if path == "/" or any(character.isspace() or character in "?#<>" for character in path):
        raise ValueError(raw)
    return path


def _site_path(raw: str) -> str:
    """Parse the path below which a site lies; "/" is none. Raises ValueError."""
    path = raw.strip().strip("/")
    if not path:
        return ""
    if _PATH.fullmatch(path) is None:
        raise ValueError(raw)
    return f"/{path}"


def _model_prefix(raw: str) -> Path:
    """Check FOLDER/NAME; a path without a name (`/`, `.`) cannot get a suffix."""
    prefix = Path(raw)
    if not prefix.name:
        raise ValueError(raw)
    return prefix


def _database_url(raw: str) -> str:
    if not raw.startswith(_DATABASE_SCHEMES):
        raise ValueError
    dj_database_url.parse(raw)
    return raw


TEXT = Kind(str, "a text")
FOLDER = Kind(lambda raw: Path(raw).resolve(), "a folder")
BOOLEAN = Kind(boolean, "true or false, or unset it")
WORDS = Kind(words, "names with commas between them")
ORIGINS = Kind(_origins, "origins such as https://shop.example.org with commas between them, or *")
NETWORKS = Kind(_networks, "networks such as 10.0.0.0/8 with commas between them, or unset it")
EMAIL_ADDRESSES = Kind(_email_addresses, "addresses such as ops@example.org with commas between them, or unset it")
SITE_PATH = Kind(_site_path, "a path such as /detector, or unset it")
ENTRY_POINT = Kind(_entry_point, "a path such as /predict")
MODEL_PREFIX = Kind(_model_prefix, "a folder with a model card, or to FOLDER/NAME of a checkpoint")
DATABASE_URL = Kind(_database_url, "postgres://USER:PASSWORD@HOST/NAME, or unset it for SQLite")
