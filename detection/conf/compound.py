"""Settings of several values in one variable: each is a frozen dataclass that parses its text.

A URL has them in its query (REMOTE_URL=http://HOST:PORT?timeout=10), the others as NAME:VALUE with commas between them
(RETENTION=days:30,count:100000).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from detection.conf.reading import Kind
from detection.conf.values import Rate, boolean, email_address, in_range, words

REMOTE_SCHEMES = ("http", "https", "grpc", "grpcs")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Of mail servers by scheme: the usual port, STARTTLS, TLS from the first byte on.
_SMTP_SCHEMES = {"smtp": (25, False, False), "smtp+tls": (587, True, False), "smtps": (465, False, True)}
_SIZE = re.compile(r"([0-9]{1,12})([KMGT]?)B?", re.IGNORECASE)
_SIZES = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_REMOTE_MODEL = re.compile(r"[\w.-]+(/[\w.-]+)?")
# The names that a text may have, with the field of each and how its value is parsed.
Parts = Mapping[str, tuple[str, Callable[[str], Any]]]


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
        if url.scheme != "s3" or _BUCKET.fullmatch(url.netloc) is None:
            raise ValueError(raw)
        return cls(url.netloc, url.path.strip("/"), **_parsed(_query(url.query), _STORE_PARTS))


@dataclass(frozen=True, slots=True)
class LabelStudio:
    """Label Studio that asks for predictions. url: without a slash at its end. token: of a user there, "" for none."""

    url: str
    token: str = ""

    @classmethod
    def parse(cls, raw: str) -> "LabelStudio":
        """Parse http://HOST:PORT?token=KEY. Raises ValueError."""
        url = urlsplit(raw.strip())
        if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None or url.fragment:
            raise ValueError(raw)
        path = url.path.rstrip("/")
        return cls(url._replace(path=path, query="").geturl(), **_parsed(_query(url.query), _LABEL_STUDIO_PARTS))


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Mail server that sends e-mail. user, password: "" for no login. sender: address in From."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    has_starttls: bool = False
    has_tls: bool = False

    @classmethod
    def parse(cls, raw: str) -> "SmtpServer":
        """Parse smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS, or smtps, smtp+tls. Raises ValueError."""
        url = urlsplit(raw.strip())
        if url.scheme not in _SMTP_SCHEMES or not url.hostname or url.path.strip("/") or url.fragment or url.port == 0:
            raise ValueError(raw)
        port, has_starttls, has_tls = _SMTP_SCHEMES[url.scheme]
        user, password = _login(url)
        given = _parsed(_query(url.query), _SMTP_PARTS)
        sender = given.get("sender") or email_address(user)
        return cls(url.hostname, url.port or port, sender, user, password, has_starttls, has_tls)


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """Model server.

    url: without the query. model: NAME or NAME/VERSION there; "" for the name of the model here. timeout_s: for an
    answer, with all tries. connections: requests at once. batch: the most photos in a request.
    """

    url: str
    model: str = ""
    timeout_s: float = 10.0
    connections: int = 4
    batch: int = 8

    @classmethod
    def parse(cls, raw: str) -> "RemoteServer":
        """Parse http://HOST:PORT?model=NAME&timeout=10&connections=4&batch=8. Raises ValueError."""
        url = urlsplit(raw.strip())
        path = url.path.rstrip("/")
        if url.scheme not in REMOTE_SCHEMES or not url.hostname or url.username is not None or url.fragment:
            raise ValueError(raw)
        if not url.port or (path and url.scheme.startswith("grpc")):
            raise ValueError(raw)
        return cls(url._replace(path=path, query="").geturl(), **_parsed(_query(url.query), _REMOTE_PARTS))


@dataclass(frozen=True, slots=True)
class Retention:
    """Limits of the history, 0 for none: days that a detection is kept, how many are kept, bytes free on the disk."""

    days: int = 0
    count: int = 0
    min_free_bytes: int = 0

    @classmethod
    def parse(cls, raw: str) -> "Retention":
        """Parse days:30,count:100000,free:5GB, or some of them. Raises ValueError."""
        return cls(**_parsed(_pairs(raw), _RETENTION_PARTS))


@dataclass(frozen=True, slots=True)
class Throttle:
    """Limits of requests, None for none: of each user, and of each address of callers who are not known."""

    user: Rate | None = None
    address: Rate | None = None

    @classmethod
    def parse(cls, raw: str) -> "Throttle":
        """Parse 600/min for both, or user:600/min,address:60/min, or one of these. Raises ValueError."""
        if ":" in raw:
            return cls(**_parsed(_pairs(raw), _THROTTLE_PARTS))
        rate = Rate.parse(raw)
        return cls(rate, rate)


@dataclass(frozen=True, slots=True)
class Https:
    """TLS by a proxy in front, and the seconds for which browsers shall insist on it (HSTS), 0 for not."""

    is_on: bool = False
    hsts_seconds: int = 0

    @classmethod
    def parse(cls, raw: str) -> "Https":
        """Parse true, false, or hsts:SECONDS, which is true with HSTS. Raises ValueError."""
        if ":" not in raw:
            return cls(boolean(raw))
        return cls(is_on=True, **_parsed(_pairs(raw), _HTTPS_PARTS))


@dataclass(frozen=True, slots=True)
class LogStyle:
    """Form of a line of the log, and the least level that is written."""

    form: str = "text"
    level: str = "INFO"

    @classmethod
    def parse(cls, raw: str) -> "LogStyle":
        """Parse json, debug, or both with a comma between them. Raises ValueError."""
        found: dict[str, str] = {}
        for word in raw.split(","):
            field, value = _LOG_WORDS.get(word.strip().lower(), ("", ""))
            if not field or field in found:
                raise ValueError(raw)
            found[field] = value
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names under which the site is reached, as Django's ALLOWED_HOSTS has them, and origins that are this site too.

    An origin is the site's address as browsers see it, where a proxy passes on another host, port or scheme.
    """

    names: tuple[str, ...]
    origins: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: str) -> "Hosts":
        """Parse names and origins with commas between them, or `none`; an origin's name counts. Raises ValueError."""
        given = words(raw)
        names = (_name_of_origin(each) if "://" in each else each for each in given)
        return cls(tuple(dict.fromkeys(names)), tuple(each for each in given if "://" in each))


@dataclass(frozen=True, slots=True)
class ShadowModel:
    """Model that gets a share of the recorded photos too: NAME or NAME@VERSION, "" for none, and 0 to 1."""

    name: str = ""
    share: float = 0.1

    @classmethod
    def parse(cls, raw: str) -> "ShadowModel":
        """Parse NAME or NAME@VERSION, where :SHARE may follow. Raises ValueError."""
        name, colon, share = raw.strip().partition(":")
        if not name:
            raise ValueError(raw)
        return cls(name, in_range(float(share), 0, 1)) if colon else cls(name)


def size_bytes(text: str) -> int:
    """Parse 5000000, 500MB, 5G. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SIZES[match[2].upper()]


def _pairs(text: str) -> list[tuple[str, str]]:
    """Split NAME:VALUE,NAME:VALUE."""
    pairs = (word.partition(":") for word in text.split(","))
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _query(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, strict_parsing=True) if text else []


def _parsed(given: Iterable[tuple[str, str]], known: Parts) -> dict[str, Any]:
    """Return the values by their fields. Raises ValueError for a name that is unknown or given twice."""
    found: dict[str, Any] = {}
    for name, raw in given:
        field, parse = known.get(name, ("", str))
        if not field or field in found:
            raise ValueError(name)
        found[field] = parse(raw)
    return found


def _name_of_origin(origin: str) -> str:
    """Return the name of http(s)://NAME or NAME:PORT; of https://*.NAME it is .NAME, all names below it."""
    url = urlsplit(origin)
    if url.scheme not in {"http", "https"} or not url.hostname or origin != f"{url.scheme}://{url.netloc}":
        raise ValueError(origin)
    if url.username is not None or url.port == 0:
        raise ValueError(origin)
    return f"[{url.hostname}]" if ":" in url.hostname else url.hostname.removeprefix("*")


def _login(url: SplitResult) -> tuple[str, str]:
    """Return user and password of a URL, both or neither. Raises ValueError."""
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if bool(user) != bool(password):
        raise ValueError(url.netloc)
    return user, password


def _endpoint(raw: str) -> str:
    url = urlsplit(raw)
    if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None:
        raise ValueError(raw)
    return raw


def _remote_model(raw: str) -> str:
    if _REMOTE_MODEL.fullmatch(raw) is None:
        raise ValueError(raw)
    return raw


_STORE_PARTS: Parts = {"endpoint": ("endpoint", _endpoint), "region": ("region", str)}
_LABEL_STUDIO_PARTS: Parts = {"token": ("token", str)}
_SMTP_PARTS: Parts = {"from": ("sender", email_address)}
_REMOTE_PARTS: Parts = {
    "model": ("model", _remote_model),
    "timeout": ("timeout_s", lambda raw: in_range(float(raw), 0.1, 3600)),
    "connections": ("connections", lambda raw: in_range(int(raw), 1, 64)),
    "batch": ("batch", lambda raw: in_range(int(raw), 1, 128)),
}
_HTTPS_PARTS: Parts = {"hsts": ("hsts_seconds", lambda raw: in_range(int(raw), 0, 10**9))}
_LOG_WORDS = {
    **{form: ("form", form) for form in ("text", "json")},
    **{level.lower(): ("level", level) for level in ("DEBUG", "INFO", "WARNING", "ERROR")},
}
_THROTTLE_PARTS: Parts = {"user": ("user", Rate.parse), "address": ("address", Rate.parse)}
_RETENTION_PARTS: Parts = {
    "days": ("days", lambda raw: in_range(int(raw), 0, 36_500)),
    "count": ("count", lambda raw: in_range(int(raw), 0, 10**12)),
    "free": ("min_free_bytes", size_bytes),
}

THROTTLE = Kind(Throttle.parse, "600/min, or user:600/min,address:60/min, or one of these, or unset it")
HTTPS = Kind(Https.parse, "true, false, or hsts:SECONDS for true with HSTS, or unset it")
LOGGING = Kind(LogStyle.parse, "text or json, debug, info, warning or error, or one of each: json,debug; or unset it")
SHADOW_MODEL = Kind(ShadowModel.parse, "NAME or NAME@VERSION of a model, or NAME:SHARE with a share from 0 to 1")
ALLOWED_HOSTS = Kind(Hosts.parse, "names, or addresses such as https://NAME:PORT, with commas between them")
RETENTION = Kind(Retention.parse, "days:30,count:100000,free:5GB or some of them, or unset it to keep everything")
LABEL_STUDIO_URL = Kind(
    LabelStudio.parse,
    "http://HOST:PORT of Label Studio, without user and password; ?token=KEY of a user there may follow",
)
EMAIL_URL = Kind(
    SmtpServer.parse,
    "smtp://HOST:PORT?from=ADDRESS or smtp+tls://USER:PASSWORD@HOST?from=ADDRESS (smtps for TLS from the start); from "
    "may be left out where USER is an address; write @, :, /, ? and # in USER or PASSWORD as %40, %3A, %2F, %3F, %23",
)
REMOTE_URL = Kind(
    RemoteServer.parse,
    "http://HOST:PORT or grpc://HOST:PORT of a model server (https, grpcs with TLS), without user and password; "
    "?model=NAME/VERSION&timeout=10&connections=4&batch=8 may follow, each of them if it is wanted",
)
PHOTO_STORE_URL = Kind(
    PhotoStore.parse,
    "s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=NAME (all but the bucket may be left out), or unset it; keys "
    "are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
)
