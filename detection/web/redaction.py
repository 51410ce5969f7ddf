"""Takes secrets out of what is logged and traced. Without Django: settings are read with it."""

import re

# The address of a share link holds its secret (`detection/sharing/`); one that was copied in part holds most of it.
# Also behind two slashes, and quoted as a part of another address.
_SHARED = re.compile(r"((?:/|%2F)shared(?:/|%2F)+)(?:[^/%\s'\"?]|%(?!2F)){8,}", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Return a text with `...` in the place of each secret that an address has."""
    return _SHARED.sub(r"\1...", text)
