"""Configuration: the only reader of the environment, which it turns into one frozen `Config`, or into error
messages.
"""

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
    size_bytes,
)
from detection.conf.config import (
    DEFAULT_MODEL_PREFIX,
    EMBEDDED_MODELS,
    PRECISION_NAMES,
    PRODUCTION_MODEL_EDGE,
    PRODUCTION_MODEL_NAME,
    PRODUCTION_MODEL_PREFIX,
    Config,
    load_config,
    make_data_dir,
)
from detection.conf.key_file import secret_key
from detection.conf.locations import BASE_DIR, static_root
from detection.conf.reading import Problem
from detection.conf.values import Rate
from detection.program import PACKAGES_DIR

__all__ = [
    "BASE_DIR",
    "DEFAULT_MODEL_PREFIX",
    "EMBEDDED_MODELS",
    "PACKAGES_DIR",
    "PRECISION_NAMES",
    "PRODUCTION_MODEL_EDGE",
    "PRODUCTION_MODEL_NAME",
    "PRODUCTION_MODEL_PREFIX",
    "Config",
    "Hosts",
    "Https",
    "LabelStudio",
    "LogStyle",
    "PhotoStore",
    "Problem",
    "Rate",
    "RemoteServer",
    "Retention",
    "ShadowModel",
    "SmtpServer",
    "Throttle",
    "load_config",
    "make_data_dir",
    "secret_key",
    "size_bytes",
    "static_root",
]
