"""All settings: their environment variables, defaults and allowed values.

The names and defaults are those of the 2019 service where they still make sense.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detection.conf import compound, values
from detection.conf.compound import (
    Hosts,
    Https,
    LabelStudio,
    LogStyle,
    PhotoStore,
    RemoteServer,
    Retention,
    ShadowModel,
    SmtpServer,
    Throttle,
)
from detection.conf.former import former_settings
from detection.conf.locations import BASE_DIR, DEFAULT_DATA_DIR
from detection.conf.reading import UNUSABLE, Problem, read_settings, setting
from detection.conf.tracing import read_tracing

# The embedded models, in the folder `models`; the first is the default, the others can be requested by name.
EMBEDDED_MODELS = ("nanodet_plus_m", "mobilenet_ssd_voc")
DEFAULT_MODEL_PREFIX = BASE_DIR / "models" / EMBEDDED_MODELS[0]
PRODUCTION_MODEL_NAME = "resnet50_ssd"
PRODUCTION_MODEL_PREFIX = "resnet50_ssd_model"
# The model card's, and 300 pixels for a checkpoint without one.
DEFAULT_MODEL_EDGE = 0
PRODUCTION_MODEL_EDGE = 512
# Or one body of the largest size, if that is more.
BODY_BUDGET_BYTES = 500_000_000
_OWNER_ONLY = 0o700
ENGINE_NAMES = ("auto", "openvino", "onnxruntime", "mxnet", "remote")
PRECISION_NAMES = ("auto", "f32", "bf16", "f16", "int8")
ACCESS_MODES = ("open", "login")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of an operator. Sizes in bytes or pixels as named, times in seconds.

    probability_more: None for the threshold of the answering model.
    models: names that `?model=` may give; the default model may be among them.
    """

    rest_host: str = setting("REST_HOST", "127.0.0.1", values.TEXT)
    rest_port: int = setting("REST_PORT", 8080, values.whole(0, 65535))
    rest_entry_point: str = setting("REST_ENTRY_POINT", "/predict", values.ENTRY_POINT)
    probability_more: float | None = setting("PROBABILITY_MORE", None, values.number(0, 1))
    model_prefix: Path = setting("MODEL_PREFIX", DEFAULT_MODEL_PREFIX, values.MODEL_PREFIX)
    model_epoch: int = setting("MODEL_EPOCH", 0, values.whole(0, 9999))
    model_edge: int = setting("MODEL_EDGE", DEFAULT_MODEL_EDGE, values.whole(32, 4096))
    models: tuple[str, ...] = setting("MODELS", EMBEDDED_MODELS, values.WORDS)
    max_resident_models: int = setting("MAX_RESIDENT_MODELS", 3, values.whole(2, 100))
    shadow: ShadowModel = setting("SHADOW_MODEL", ShadowModel(), compound.SHADOW_MODEL)
    model_context_gpu: bool = setting("MODEL_CONTEXT_GPU", False, values.BOOLEAN)
    model_device: str = setting("MODEL_DEVICE", "cpu", values.TEXT)
    model_engine: str = setting("MODEL_ENGINE", "auto", values.choice(ENGINE_NAMES))
    model_precision: str = setting("MODEL_PRECISION", "auto", values.choice(PRECISION_NAMES))
    inference_threads: int = setting("INFERENCE_THREADS", 0, values.whole(0, 256))
    remote: RemoteServer | None = setting("REMOTE_URL", None, compound.REMOTE_URL, is_secret=True)
    label_studio: LabelStudio | None = setting("LABEL_STUDIO_URL", None, compound.LABEL_STUDIO_URL, is_secret=True)
    model_load_timeout_s: float = setting("MODEL_LOAD_TIMEOUT", 120.0, values.number(1, 86_400))
    queue_size: int = setting("QUEUE_SIZE", 64, values.whole(1, 100_000))
    max_body_bytes: int = setting("MAX_BODY_BYTES", 20_000_000, values.whole(1_000, 2_000_000_000))
    body_budget_bytes: int = setting("BODY_BUDGET_BYTES", BODY_BUDGET_BYTES, values.whole(1_000, 10**15))
    max_pixels: int = setting("MAX_PIXELS", 60_000_000, values.whole(10_000, 2_000_000_000))
    accept_incomplete: bool = setting("ACCEPT_INCOMPLETE", True, values.BOOLEAN)
    request_timeout_s: float = setting("REQUEST_TIMEOUT", 60.0, values.number(0.1, 3600))
    upload_timeout_s: float = setting("UPLOAD_TIMEOUT", 60.0, values.number(0.1, 3600))
    max_connections: int = setting("MAX_CONNECTIONS", 1000, values.whole(1, 1_000_000))
    forwarded_allow_ips: tuple[str, ...] = setting("FORWARDED_ALLOW_IPS", (), values.WORDS)
    access: str = setting("ACCESS", "open", values.choice(ACCESS_MODES))
    throttle: Throttle = setting("THROTTLE", Throttle(), compound.THROTTLE)
    https: Https = setting("HTTPS", Https(), compound.HTTPS)
    metrics_token: str = setting("METRICS_TOKEN", "", values.TEXT)
    data_dir: Path = setting("DATA_DIR", DEFAULT_DATA_DIR, values.FOLDER)
    durable: bool = setting("DURABLE", True, values.BOOLEAN)
    photo_store: PhotoStore | None = setting("PHOTO_STORE_URL", None, compound.PHOTO_STORE_URL, is_secret=True)
    retention: Retention = setting("RETENTION", Retention(), compound.RETENTION)
    database_url: str = setting("DATABASE_URL", "", values.DATABASE_URL, is_secret=True)
    redis_url: str = setting("REDIS_URL", "", values.TEXT)
    debug: bool = setting("DEBUG", False, values.BOOLEAN)
    hosts: Hosts = setting("ALLOWED_HOSTS", Hosts(LOOPBACK_HOSTS), compound.ALLOWED_HOSTS)
    site_path: str = setting("SITE_PATH", "", values.SITE_PATH)
    cors_origins: tuple[str, ...] = setting("CORS_ORIGINS", (), values.ORIGINS)
    webhook_networks: tuple[values.Network, ...] = setting("WEBHOOK_NETWORKS", (), values.NETWORKS)
    smtp: SmtpServer | None = setting("EMAIL_URL", None, compound.EMAIL_URL, is_secret=True)
    drift_email: tuple[str, ...] = setting("DRIFT_EMAIL", (), values.EMAIL_ADDRESSES)
    logging: LogStyle = setting("LOGGING", LogStyle(), compound.LOGGING)
    traces: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def needs_login(self) -> bool:
        """True if people log in and programs send a token."""
        return self.access == "login"

    @property
    def is_on_loopback(self) -> bool:
        """True if only this machine can reach the server."""
        return self.rest_host.strip("[]") in {host.strip("[]") for host in LOOPBACK_HOSTS}

    @property
    def cache_dir(self) -> Path:
        """Folder of converted and compiled models; may be deleted at any time."""
        return self.data_dir / "cache"

    @property
    def database_file(self) -> Path:
        """SQLite's database, where DATABASE_URL is not set."""
        return self.data_dir / "detector.sqlite3"

    @property
    def photo_dir(self) -> Path:
        """Folder of the stored photos."""
        return self.data_dir / "photos"

    @property
    def models_dir(self) -> Path:
        """Folder in which `manage.py fetch_model` installs checkpoints."""
        return self.data_dir / "models"


def load_config(environ: Mapping[str, str] = os.environ) -> Config:
    """Build the configuration from environment variables; values that do not parse are in `problems`."""
    found, problems = read_settings(Config, environ)
    traces, misused = read_tracing(environ)
    problems += [Problem(UNUSABLE, message, hint) for message, hint in (*_mismatches(environ, found), *misused)]
    problems += former_settings(environ)
    prefix = found.get("model_prefix") or _default_model(found.get("data_dir", DEFAULT_DATA_DIR) / "models")
    budget_bytes = max(BODY_BUDGET_BYTES, found.get("max_body_bytes", 0))
    defaults = {"model_prefix": prefix, "model_edge": _edge_of(prefix), "body_budget_bytes": budget_bytes}
    if found.get("model_context_gpu"):
        found.setdefault("model_device", "cuda:0")
    config = Config(**{**defaults, **found}, traces=traces, problems=tuple(problems))
    return replace(config, problems=(*config.problems, *_proportion_problems(config)))


def _proportion_problems(config: Config) -> Iterator[Problem]:
    """Return problems of values that are valid each, and wrong together."""
    if config.body_budget_bytes < config.max_body_bytes:
        yield Problem(
            UNUSABLE,
            f"BODY_BUDGET_BYTES is {config.body_budget_bytes}, and one body may have {config.max_body_bytes}.",
            "Set BODY_BUDGET_BYTES to MAX_BODY_BYTES or more, or unset it.",
        )


def _mismatches(environ: Mapping[str, str], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return problems of settings that need or exclude each other, with what to do."""
    if environ.get("MODEL_ENGINE") == "remote" and not environ.get("REMOTE_URL"):
        yield (
            "MODEL_ENGINE is remote, and REMOTE_URL is not set.",
            "Set REMOTE_URL to http://HOST:PORT or grpc://HOST:PORT of the model server.",
        )
    if found.get("model_context_gpu") and found.get("model_device", "cuda").split(":")[0] not in {"cuda", "tensorrt"}:
        yield (
            f"MODEL_CONTEXT_GPU is true, and MODEL_DEVICE is {found['model_device']}.",
            "Unset MODEL_CONTEXT_GPU: MODEL_DEVICE says where the network runs.",
        )
    if environ.get("PHOTO_STORE_URL") and "retention" in found and found["retention"].min_free_bytes:
        yield (
            "RETENTION's free: is for photos on this disk, and PHOTO_STORE_URL keeps them elsewhere.",
            "Take free: out of RETENTION, and bound the history by days: or count:.",
        )
    if found.get("drift_email") and not environ.get("EMAIL_URL"):
        yield (
            "DRIFT_EMAIL is set, and EMAIL_URL is not: no mail server is known.",
            "Set EMAIL_URL to smtp://HOST:PORT?from=ADDRESS of the mail server, or unset DRIFT_EMAIL.",
        )
    if "remote" in found and found["remote"].model and environ.get("MODELS"):
        yield (
            "REMOTE_URL names one model, and MODELS names more.",
            "Take model= out of REMOTE_URL: each model is then asked for under its own name. Or unset MODELS.",
        )


def _default_model(models_dir: Path) -> Path:
    """Return the fetched production checkpoint if it is complete, else the embedded one."""
    fetched = models_dir / PRODUCTION_MODEL_NAME / PRODUCTION_MODEL_PREFIX
    parts = ("-symbol.json", "-0000.params")
    is_complete = all(fetched.with_name(fetched.name + part).is_file() for part in parts)
    return fetched if is_complete else DEFAULT_MODEL_PREFIX


def _edge_of(prefix: Path) -> int:
    """Return the edge of the production checkpoint, which its files lack; it is recognised by its name, wherever it
    lies.
    """
    return PRODUCTION_MODEL_EDGE if prefix.name == PRODUCTION_MODEL_PREFIX else DEFAULT_MODEL_EDGE


def make_data_dir(config: Config) -> None:
    """Create DATA_DIR and the file of SQLite's database where they can be created, for their owner alone.

    SQLite gives its journal the rights of the database. A folder that somebody else made keeps its rights; a system
    check warns where others can read it. Whoever needs the folder reports that it could not be created.
    """
    with contextlib.suppress(OSError):
        config.data_dir.parent.mkdir(parents=True, exist_ok=True)
        config.data_dir.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        if not config.database_url:
            _protect(config.database_file)


def _protect(database: Path) -> None:
    """Create the file readable by its owner alone; take the rights of others from files that an older version made."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for path in (database, *(database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))):
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & stat.S_IRWXO:
                path.chmod(mode & ~stat.S_IRWXO)
