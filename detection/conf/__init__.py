"""Configuration: the only reader of the environment, which it turns into one frozen `Config`, or into error
messages.
"""

from detection.conf.compound import (
    Hosts,
    Https,
    LogStyle,
    PhotoStore,
    RemoteServer,
    Retention,
    ShadowModel,
    Throttle,
    size_bytes,
)
from detection.conf.config import (
    BASE_DIR,
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
from detection.conf.reading import Problem
from detection.conf.values import Rate

__all__ = [
    "BASE_DIR",
    "DEFAULT_MODEL_PREFIX",
    "EMBEDDED_MODELS",
    "PRECISION_NAMES",
    "PRODUCTION_MODEL_EDGE",
    "PRODUCTION_MODEL_NAME",
    "PRODUCTION_MODEL_PREFIX",
    "Config",
    "Hosts",
    "Https",
    "LogStyle",
    "PhotoStore",
    "Problem",
    "Rate",
    "RemoteServer",
    "Retention",
    "ShadowModel",
    "Throttle",
    "load_config",
    "make_data_dir",
    "secret_key",
    "size_bytes",
]
