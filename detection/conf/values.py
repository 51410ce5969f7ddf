"""Kinds of values of settings, and their parsers."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import dj_database_url

from detection.conf.reading import Kind

# As the only word of a list: not the default, and nothing else.
NOTHING = "none"
REMOTE_SCHEMES = ("http", "https", "grpc", "grpcs")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REMOTE_MODEL = re.compile(r"[\w.-]+(/[\w.-]+)?")
_DATABASE_SCHEMES = ("postgres://", "postgresql://", "sqlite://")
_PERIODS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "hour": 3600.0, "h": 3600.0, "day": 86400.0, "d": 86400.0}
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
        return cls(_in_range(int(count), 1, 10**9), _PERIODS_S[period])


@dataclass(frozen=True, slots=True)
class PhotoStore:
    """Bucket of an S3-compatible store. Credentials come from the places where Amazon's own tools look for them."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""

    @classmethod
    def parse(cls, raw: str) -> "PhotoStore":
        """Parse s3://BUCKET/PREFIX?endpoint=URL&region=NAME. Raises ValueError."""
        url = urlsplit(raw.strip())
        wishes = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
        if url.scheme != "s3" or _BUCKET.fullmatch(url.netloc) is None or not wishes.keys() <= {"endpoint", "region"}:
            raise ValueError(raw)
        endpoint = urlsplit(wishes.get("endpoint", "http://host"))
        if endpoint.scheme not in {"http", "https"} or not endpoint.hostname or endpoint.username is not None:
            raise ValueError(raw)
        return cls(url.netloc, url.path.strip("/"), **wishes)


def whole(low: int, high: int) -> Kind:
    """Return the kind of whole numbers in [low, high]."""
    return Kind(lambda raw: _in_range(int(raw), low, high), f"a whole number from {low} to {high}, or unset it")


def number(low: float, high: float) -> Kind:
    """Return the kind of numbers in [low, high]."""
    return Kind(lambda raw: _in_range(float(raw), low, high), f"a number from {low:g} to {high:g}, or unset it")


def choice(choices: tuple[str, ...]) -> Kind:
    """Return the kind of one of some words."""

    def parse(raw: str) -> str:
        if raw not in choices:
            raise ValueError(raw)
        return raw

    return Kind(parse, f"one of {', '.join(choices)}, or unset it")


def _in_range(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise ValueError(value)
    return value


def _boolean(raw: str) -> bool:
    try:
        return _BOOLEANS[raw.strip().lower()]
    except KeyError as error:
        raise ValueError(raw) from error


def _words(raw: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in raw.split(",") if word.strip())
    return () if words == (NOTHING,) else words


def _entry_point(raw: str) -> str:
    path = "/" + raw.strip().strip("/")
    if path == "/" or any(character.isspace() or character in "?#<>" for character in path):
        raise ValueError(raw)
    return path


def _model_prefix(raw: str) -> Path:
    """Check FOLDER/NAME; a path without a name (`/`, `.`) cannot get a suffix."""
    prefix = Path(raw)
    if not prefix.name:
        raise ValueError(raw)
    return prefix


def _remote_url(raw: str) -> str:
    url = urlsplit(raw.strip().rstrip("/"))
    if url.scheme not in REMOTE_SCHEMES or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError(raw)
    if not url.port or (url.path and url.scheme.startswith("grpc")):
        raise ValueError(raw)
    return url.geturl()


def _remote_model(raw: str) -> str:
    if _REMOTE_MODEL.fullmatch(raw) is None:
        raise ValueError(raw)
    return raw


def _database_url(raw: str) -> str:
    if not raw.startswith(_DATABASE_SCHEMES):
        raise ValueError
    dj_database_url.parse(raw)
    return raw


TEXT = Kind(str, "a text")
FOLDER = Kind(lambda raw: Path(raw).resolve(), "a folder")
BOOLEAN = Kind(_boolean, "true or false, or unset it")
WORDS = Kind(_words, "names with commas between them")
RATE = Kind(Rate.parse, "requests per time, such as 600/min, or unset it")
ENTRY_POINT = Kind(_entry_point, "a path such as /predict")
MODEL_PREFIX = Kind(_model_prefix, "a folder with a model card, or to FOLDER/NAME of a checkpoint")
REMOTE_URL = Kind(
    _remote_url,
    "http://HOST:PORT or grpc://HOST:PORT of a model server (https, grpcs with TLS), without user and password",
)
REMOTE_MODEL = Kind(_remote_model, "NAME or NAME/VERSION, or unset it")
DATABASE_URL = Kind(_database_url, "postgres://USER:PASSWORD@HOST/NAME, or unset it for SQLite")
PHOTO_STORE_URL = Kind(
    PhotoStore.parse,
    "s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=NAME (all but the bucket may be left out), or unset it; keys "
    "are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
)
