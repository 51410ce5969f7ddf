"""Names of photos in an export, safe as file names although callers chose them, and of classes."""

import re
import unicodedata
from collections.abc import Sequence

from detection.models import Detection
from detection.photos.store import SUFFIXES
from detection.web.text import plain

_STEM_LENGTH = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


def class_lines(classes: Sequence[str]) -> bytes:
    """Return the text of a list of classes: one line for each, also where an old model's name has a line break."""
    return "".join(f"{plain(name)}\n" for name in classes).encode()


def photo_name(detection: Detection) -> str:
    """Return `<caller's name>_<id>.<type>`: one per detection, ASCII, without folders, safe on every system."""
    return f"{photo_stem(detection)}.{SUFFIXES[detection.photo.format]}"


def photo_stem(detection: Detection) -> str:
    """Return the name without its type; the id at its end makes it unique, so that label files can share it."""
    called = detection.photo.original_name.replace("\\", "/").rsplit("/", 1)[-1].rpartition(".")
    plain = unicodedata.normalize("NFKD", called[0] or called[2]).encode("ascii", "ignore").decode()
    stem = _UNSAFE.sub("_", plain)[:_STEM_LENGTH].strip("_-")
    return f"{stem or 'photo'}_{detection.pk}"
