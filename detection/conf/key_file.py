"""Django's secret key, generated and kept at the first start."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from detection.conf.config import Config

_KEY_BYTES = 50


def secret_key(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """Return SECRET_KEY from the environment, or one generated at the first start and kept in DATA_DIR, readable by its
    owner.

    Where DATA_DIR cannot be written the key lives as long as the process; a system check reports that.
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
    """Return the kept key; "" when there is none, or an empty file that a full disk has left."""
    try:
        return path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""


def _make_key(path: Path) -> str:
    """Write a key to a temporary file and link it into place: of several processes that start at once, all read the
    same.
    """
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
