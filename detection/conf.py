"""The only reader of the environment: turns it into one frozen `Config`, or into sentences that say what to mend.

The names and defaults are those of the 2019 service where they still make sense. A value that does not parse becomes a
`Problem`; system checks (`detection/checks.py`) show all problems at once and stop the start. The old service fell back
to its default without a word.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import dj_database_url

from detection.conf_tracing import read_tracing

BASE_DIR = Path(__file__).resolve().parent.parent
# The embedded models, in the folder `models`; the first answers by default, the others when they are asked by name.
EMBEDDED_MODELS = ("nanodet_plus_m", "mobilenet_ssd_voc")
DEFAULT_MODEL_PREFIX = BASE_DIR / "models" / EMBEDDED_MODELS[0]
PRODUCTION_MODEL_NAME = "resnet50_ssd"
PRODUCTION_MODEL_PREFIX = "resnet50_ssd_model"
# What the model card says, and 300 pixels for a checkpoint without one.
DEFAULT_MODEL_EDGE = 0
PRODUCTION_MODEL_EDGE = 512
ENGINE_NAMES = ("auto", "openvino", "onnxruntime", "mxnet", "remote")
REMOTE_SCHEMES = ("http", "https", "grpc", "grpcs")
PRECISION_NAMES = ("auto", "f32", "bf16", "f16", "int8")
LOG_FORMATS = ("text", "json")
ACCESS_MODES = ("open", "login")
# In place of a list: not the default, and nothing else.
NOTHING = "none"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_KEY_BYTES = 50
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REMOTE_MODEL = re.compile(r"[\w.-]+(/[\w.-]+)?")
_DATABASE_SCHEMES = ("postgres://", "postgresql://", "sqlite://")
# Variables that may hold a password are not repeated to whoever reads the log.
_SECRET_NAMES = frozenset({"DATABASE_URL", "REMOTE_URL", "PHOTO_STORE_URL"})
_PERIODS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "hour": 3600.0, "h": 3600.0, "day": 86400.0, "d": 86400.0}

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Problem:
    """One environment variable that cannot be used: the system check's id, what is wrong, what to do."""

    check_id: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in `period_s` seconds."""

    count: int
    period_s: float

    @classmethod
    def parse(cls, raw: str) -> "Rate":
        """Read 600/min, 10/s, 1000/hour. Raises ValueError."""
        count, _, period = raw.strip().partition("/")
        if period not in _PERIODS_S:
            raise ValueError(raw)
        return cls(_in_range(int(count), 1, 10**9), _PERIODS_S[period])


@dataclass(frozen=True, slots=True)
class PhotoStore:
    """A bucket of an S3-compatible store. Keys come from where Amazon's own tools look for them."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""

    @classmethod
    def parse(cls, raw: str) -> "PhotoStore":
        """Read s3://BUCKET/PREFIX?endpoint=URL&region=NAME. Raises ValueError."""
        url = urlsplit(raw.strip())
        wishes = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
        if url.scheme != "s3" or _BUCKET.fullmatch(url.netloc) is None or not wishes.keys() <= {"endpoint", "region"}:
            raise ValueError(raw)
        endpoint = urlsplit(wishes.get("endpoint", "http://host"))
        if endpoint.scheme not in {"http", "https"} or not endpoint.hostname or endpoint.username is not None:
            raise ValueError(raw)
        return cls(url.netloc, url.path.strip("/"), **wishes)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can choose. Sizes in bytes or pixels as named, times in seconds.

    probability_more: None for the threshold of the model that answers.
    shadow_model: "" for none; shadow_share: of the photos that are kept, how many it looks at too, 0 to 1.
    models: names that `?model=` may give; the one that answers by default may be among them.
    """

    rest_host: str = "127.0.0.1"
    rest_port: int = 8080
    rest_entry_point: str = "/predict"
    probability_more: float | None = None
    model_prefix: Path = DEFAULT_MODEL_PREFIX
    model_epoch: int = 0
    model_edge: int = DEFAULT_MODEL_EDGE
    models: tuple[str, ...] = EMBEDDED_MODELS
    max_resident_models: int = 3
    shadow_model: str = ""
    shadow_share: float = 0.1
    model_context_gpu: bool = False
    model_engine: str = "auto"
    model_precision: str = "f32"
    inference_threads: int = 0
    remote_url: str = ""
    remote_model: str = ""
    remote_timeout_s: float = 10.0
    remote_connections: int = 4
    remote_batch: int = 8
    queue_size: int = 64
    max_body_bytes: int = 20_000_000
    max_pixels: int = 60_000_000
    request_timeout_s: float = 60.0
    upload_timeout_s: float = 60.0
    max_connections: int = 1000
    access: str = "open"
    throttle_user: Rate | None = None
    throttle_anon: Rate | None = None
    https: bool = False
    hsts_seconds: int = 0
    metrics_token: str = ""
    data_dir: Path = BASE_DIR / "var"
    photo_store: PhotoStore | None = None
    retention_days: int = 0
    retention_count: int = 0
    min_free_bytes: int = 0
    database_url: str = ""
    redis_url: str = ""
    debug: bool = False
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    csrf_trusted_origins: tuple[str, ...] = ()
    log_format: str = "text"
    log_level: str = "INFO"
    traces: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def needs_login(self) -> bool:
        """Whether people log in and programs show a token."""
        return self.access == "login"

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.rest_host.strip("[]") in {host.strip("[]") for host in LOOPBACK_HOSTS}

    @property
    def cache_dir(self) -> Path:
        """Where converted and compiled models are kept; may be deleted at any time."""
        return self.data_dir / "cache"

    @property
    def photo_dir(self) -> Path:
        """Where the stored photos are."""
        return self.data_dir / "photos"

    @property
    def models_dir(self) -> Path:
        """Where `manage.py fetch_model` installs checkpoints."""
        return self.data_dir / "models"


@dataclass
class _Reader:
    """Reads one variable at a time and collects what does not parse."""

    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def read(self, name: str, parse: Callable[[str], T], default: D, hint: str) -> T | D:
        raw = self.environ.get(name)
        if raw is None or raw == "":
            return default
        try:
            return parse(raw)
        except ValueError:
            given = "set to something" if name in _SECRET_NAMES else repr(raw)
            self.problems.append(Problem("detection.E001", f"{name} is {given}, which cannot be used.", hint))
            return default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        def parse(raw: str) -> int:
            return _in_range(int(raw), low, high)

        return self.read(name, parse, default, f"Set {name} to a whole number from {low} to {high}, or unset it.")

    def number(self, name: str, default: D, low: float, high: float) -> float | D:
        def parse(raw: str) -> float:
            return _in_range(float(raw), low, high)

        return self.read(name, parse, default, f"Set {name} to a number from {low:g} to {high:g}, or unset it.")

    def boolean(self, name: str, default: bool) -> bool:
        return self.read(name, _parse_bool, default, f"Set {name} to true or false, or unset it.")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError(raw)
            return raw

        return self.read(name, parse, default, f"Set {name} to one of {', '.join(choices)}, or unset it.")

    def rate(self, name: str) -> Rate | None:
        return self.read(name, Rate.parse, None, f"Set {name} to requests per time, such as 600/min, or unset it.")

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        def parse(raw: str) -> tuple[str, ...]:
            words = tuple(word.strip() for word in raw.split(",") if word.strip())
            return () if words == (NOTHING,) else words

        return self.read(name, parse, default, f"Set {name} to names with commas between them.")


def _in_range(value: T, low: T, high: T) -> T:
    if not low <= value <= high:  # type: ignore[operator]
        raise ValueError(value)
    return value


def _parse_bool(raw: str) -> bool:
    lowered = raw.strip().lower()
    if lowered in {"true", "1", "yes", "on"}:
        return True
    if lowered in {"false", "0", "no", "off"}:
        return False
    raise ValueError(raw)


def _parse_entry_point(raw: str) -> str:
    path = "/" + raw.strip().strip("/")
    if path == "/" or any(character.isspace() or character in "?#<>" for character in path):
        raise ValueError(raw)
    return path


def load_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Build the configuration from environment variables; what does not parse is in `problems`."""
    reader = _Reader(environ)
    data_dir = reader.read("DATA_DIR", Path, BASE_DIR / "var", "Set DATA_DIR to a folder.").resolve()
    prefix, edge = _default_model(data_dir / "models")
    _check_together(reader)
    traces, misused = read_tracing(environ)
    reader.problems += [Problem("detection.E001", message, hint) for message, hint in misused]
    return Config(
        rest_host=environ.get("REST_HOST") or "127.0.0.1",
        rest_port=reader.integer("REST_PORT", 8080, 0, 65535),
        rest_entry_point=reader.read(
            "REST_ENTRY_POINT", _parse_entry_point, "/predict", "Set REST_ENTRY_POINT to a path such as /predict."
        ),
        probability_more=reader.number("PROBABILITY_MORE", None, 0.0, 1.0),
        model_prefix=reader.read(
            "MODEL_PREFIX",
            _parse_prefix,
            prefix,
            "Set MODEL_PREFIX to a folder with a model card, or to FOLDER/NAME of a checkpoint.",
        ),
        model_epoch=reader.integer("MODEL_EPOCH", 0, 0, 9999),
        model_edge=reader.integer("MODEL_EDGE", edge, 32, 4096),
        models=reader.words("MODELS", EMBEDDED_MODELS),
        max_resident_models=reader.integer("MAX_RESIDENT_MODELS", 3, 2, 100),
        shadow_model=environ.get("SHADOW_MODEL", ""),
        shadow_share=reader.number("SHADOW_SHARE", 0.1, 0.0, 1.0),
        model_context_gpu=reader.boolean("MODEL_CONTEXT_GPU", False),
        model_engine=reader.choice("MODEL_ENGINE", "auto", ENGINE_NAMES),
        model_precision=reader.choice("MODEL_PRECISION", "f32", PRECISION_NAMES),
        inference_threads=reader.integer("INFERENCE_THREADS", 0, 0, 256),
        remote_url=reader.read(
            "REMOTE_URL",
            _parse_remote_url,
            "",
            "Set REMOTE_URL to http://HOST:PORT or grpc://HOST:PORT of a model server (https, grpcs with TLS), without "
            "user and password.",
        ),
        remote_model=reader.read(
            "REMOTE_MODEL", _parse_remote_model, "", "Set REMOTE_MODEL to NAME or NAME/VERSION, or unset it."
        ),
        remote_timeout_s=reader.number("REMOTE_TIMEOUT", 10.0, 0.1, 3600.0),
        remote_connections=reader.integer("REMOTE_CONNECTIONS", 4, 1, 64),
        remote_batch=reader.integer("REMOTE_BATCH", 8, 1, 128),
        queue_size=reader.integer("QUEUE_SIZE", 64, 1, 100_000),
        max_body_bytes=reader.integer("MAX_BODY_BYTES", 20_000_000, 1_000, 2_000_000_000),
        max_pixels=reader.integer("MAX_PIXELS", 60_000_000, 10_000, 2_000_000_000),
        request_timeout_s=reader.number("REQUEST_TIMEOUT", 60.0, 0.1, 3600.0),
        upload_timeout_s=reader.number("UPLOAD_TIMEOUT", 60.0, 0.1, 3600.0),
        max_connections=reader.integer("MAX_CONNECTIONS", 1000, 1, 1_000_000),
        access=reader.choice("ACCESS", "open", ACCESS_MODES),
        throttle_user=reader.rate("THROTTLE_USER"),
        throttle_anon=reader.rate("THROTTLE_ANON"),
        https=reader.boolean("HTTPS", False),
        hsts_seconds=reader.integer("HSTS_SECONDS", 0, 0, 10**9),
        metrics_token=environ.get("METRICS_TOKEN", ""),
        data_dir=data_dir,
        photo_store=reader.read(
            "PHOTO_STORE_URL",
            PhotoStore.parse,
            None,
            "Set PHOTO_STORE_URL to s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=NAME (all but the bucket may "
            "be left out), or unset it; keys are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ),
        retention_days=reader.integer("RETENTION_DAYS", 0, 0, 36_500),
        retention_count=reader.integer("RETENTION_COUNT", 0, 0, 10**12),
        min_free_bytes=reader.integer("MIN_FREE_BYTES", 0, 0, 10**15),
        database_url=reader.read(
            "DATABASE_URL",
            _parse_database_url,
            "",
            "Set DATABASE_URL to postgres://USER:PASSWORD@HOST/NAME, or unset it for SQLite.",
        ),
        redis_url=environ.get("REDIS_URL", ""),
        debug=reader.boolean("DEBUG", False),
        allowed_hosts=reader.words("ALLOWED_HOSTS", LOOPBACK_HOSTS),
        csrf_trusted_origins=reader.words("CSRF_TRUSTED_ORIGINS", ()),
        log_format=reader.choice("LOG_FORMAT", "text", LOG_FORMATS),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        traces=traces,
        problems=tuple(reader.problems),
    )


def _check_together(reader: _Reader) -> None:
    """What has to be said together, or must not be."""
    environ = reader.environ
    if environ.get("MODEL_ENGINE") == "remote" and not environ.get("REMOTE_URL"):
        reader.problems.append(
            Problem(
                "detection.E001",
                "MODEL_ENGINE is remote, and REMOTE_URL is not set.",
                "Set REMOTE_URL to http://HOST:PORT or grpc://HOST:PORT of the model server.",
            )
        )
    if environ.get("PHOTO_STORE_URL") and environ.get("MIN_FREE_BYTES", "0") != "0":
        reader.problems.append(
            Problem(
                "detection.E001",
                "MIN_FREE_BYTES is for photos on this disk, and PHOTO_STORE_URL keeps them elsewhere.",
                "Unset MIN_FREE_BYTES, and bound the history by RETENTION_DAYS or RETENTION_COUNT.",
            )
        )
    if environ.get("REMOTE_MODEL") and environ.get("MODELS"):
        reader.problems.append(
            Problem(
                "detection.E001",
                "REMOTE_MODEL names one model, and MODELS names more.",
                "Unset REMOTE_MODEL: each model is then asked for under its own name. Or unset MODELS.",
            )
        )


def _default_model(models_dir: Path) -> tuple[Path, int]:
    """The fetched production checkpoint when it is complete, else the embedded one."""
    fetched = models_dir / PRODUCTION_MODEL_NAME / PRODUCTION_MODEL_PREFIX
    parts = ("-symbol.json", "-0000.params")
    if all(fetched.with_name(fetched.name + part).is_file() for part in parts):
        return fetched, PRODUCTION_MODEL_EDGE
    return DEFAULT_MODEL_PREFIX, DEFAULT_MODEL_EDGE


def _parse_remote_url(raw: str) -> str:
    url = urlsplit(raw.strip().rstrip("/"))
    if url.scheme not in REMOTE_SCHEMES or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError
    if not url.port or (url.path and url.scheme.startswith("grpc")):
        raise ValueError
    return url.geturl()


def _parse_remote_model(raw: str) -> str:
    if _REMOTE_MODEL.fullmatch(raw) is None:
        raise ValueError(raw)
    return raw


def _parse_prefix(raw: str) -> Path:
    """FOLDER/NAME; a path without a name (`/`, `.`) cannot get a suffix."""
    prefix = Path(raw)
    if not prefix.name:
        raise ValueError(raw)
    return prefix


def _parse_database_url(raw: str) -> str:
    if not raw.startswith(_DATABASE_SCHEMES):
        raise ValueError
    dj_database_url.parse(raw)
    return raw


def secret_key(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """SECRET_KEY from the environment, or one made at the first start and kept in DATA_DIR, readable by its owner.

    Where DATA_DIR cannot be written the key lives as long as the process; a system check says so.
    """
    given = environ.get("SECRET_KEY")
    if given:
        return given
    path = config.data_dir / "secret_key"
    try:
        return _read_key(path) or _make_key(path)
    except OSError:
        return secrets.token_urlsafe(_KEY_BYTES)


def _read_key(path: Path) -> str:
    """The kept key; "" when there is none, or an empty file that a full disk has left."""
    try:
        return path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""


def _make_key(path: Path) -> str:
    """Write a key beside its place and link it there: of several processes that start at once, all read the same."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_KEY_BYTES))
    try:
        path.hardlink_to(temporary)
    except OSError:
        # Another process was first; or there is an empty file; or the file system has no links.
        if not _read_key(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return _read_key(path)


def make_data_dir(config: Config) -> None:
    """Make DATA_DIR where it can be made; a system check, and whoever needs the folder, say so where it cannot."""
    with contextlib.suppress(OSError):
        config.data_dir.mkdir(parents=True, exist_ok=True)
