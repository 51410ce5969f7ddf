"""Search of photos by any part of their names, with an index of trigrams: SQLite's FTS5, or PostgreSQL's pg_trgm.

No `models.Index` says either, so `ensure_index` makes them after every migration. SQLite: a table
`detection_photo_names` beside the photos, kept by triggers. Where the database may not have one (an SQLite without
FTS5, an account that may not create extensions), names are found by their beginning only, which needs no more than an
ordinary index (migration 0015).
"""

import logging
from collections.abc import Sequence

from django.db import Error, connection, transaction
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from detection.models import Photo
from detection.program import PROGRAM

logger = logging.getLogger(__name__)

# Shorter texts have no trigram: they are looked for at the beginning of names.
MIN_PART = 3
_INDEX = "photo_name_part"
_ADD = "INSERT INTO detection_photo_names(rowid, original_name) VALUES (new.id, new.original_name)"
_REMOVE = (
    "INSERT INTO detection_photo_names(detection_photo_names, rowid, original_name) "
    "VALUES ('delete', old.id, old.original_name)"
)
_FTS5 = {
    "detection_photo_names": (
        "CREATE VIRTUAL TABLE IF NOT EXISTS detection_photo_names USING fts5("
        "original_name, content='detection_photo', content_rowid='id', tokenize='trigram')"
    ),
    "photo_names_insert": (
        f"CREATE TRIGGER IF NOT EXISTS photo_names_insert AFTER INSERT ON detection_photo BEGIN {_ADD}; END"
    ),
    "photo_names_delete": (
        f"CREATE TRIGGER IF NOT EXISTS photo_names_delete AFTER DELETE ON detection_photo BEGIN {_REMOVE}; END"
    ),
    "photo_names_update": (
        "CREATE TRIGGER IF NOT EXISTS photo_names_update AFTER UPDATE OF original_name ON detection_photo "
        f"BEGIN {_REMOVE}; {_ADD}; END"
    ),
}
_FILL = "INSERT INTO detection_photo_names(detection_photo_names) VALUES ('rebuild')"
_NEWEST = "SELECT rowid FROM detection_photo_names WHERE detection_photo_names MATCH %s ORDER BY rowid DESC LIMIT %s"
_IS_MATCHING = (
    "EXISTS (SELECT 1 FROM detection_photo_names "
    "WHERE detection_photo_names MATCH %s AND rowid = detection_detection.photo_id)"
)
_TRIGRAMS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"CREATE INDEX {_INDEX} ON detection_photo USING gin (UPPER(original_name::text) gin_trgm_ops)",
)


def ensure_index() -> None:
    """Make the index where it is missing and the database can have it; log how to get it elsewhere.

    A photo table that a migration has rebuilt has lost its triggers: they are made again, and the index anew.
    """
    if has_index():
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in (*_FTS5.values(), _FILL) if connection.vendor == "sqlite" else _TRIGRAMS:
                cursor.execute(statement)
    except Error as error:
        logger.warning("Photos are found by the beginning of their names only: %s %s", str(error).strip(), _advice())


def has_index() -> bool:
    """Return whether any part of a name can be looked for; if not, its beginning can."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE %s", ["%photo_names%"])
            return set(_FTS5) <= {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = %s", [_INDEX])
        return cursor.fetchone() is not None


def _advice() -> str:
    if connection.vendor == "sqlite":
        return f"Use an SQLite with FTS5, 3.34 or newer, then run `{PROGRAM} migrate`."
    return f"Let a superuser run `CREATE EXTENSION pg_trgm` in this database, then run `{PROGRAM} migrate`."


def each_called(text: str) -> Q:
    """Return the condition on a detection that its photo's name has `text` in it, ignoring case.

    Where the text is shorter than MIN_PART, or the database has no index of parts: that it begins with it. To be tested
    on one row after the other.
    """
    if len(text) < MIN_PART or not has_index():
        return Q(photo__original_name__istartswith=text)
    if connection.vendor == "sqlite" and not text.isascii():
        # LIKE knows no case of other letters than ASCII's.
        return Q(RawSQL(_IS_MATCHING, [_phrase(text)], BooleanField()))  # noqa: S611 (a constant)
    return Q(photo__original_name__icontains=text)


def newest_called(text: str, count: int) -> list[int]:
    """Return the primary keys of `count` photos of that name at most, by the index."""
    if connection.vendor == "sqlite" and len(text) >= MIN_PART and has_index():
        return _fts5_keys(text, count)
    called = Photo.objects.filter(_of_photos(text)).order_by()
    return list(called.values_list("pk", flat=True)[:count])


def _of_photos(text: str) -> Q:
    is_part = len(text) >= MIN_PART and has_index()
    return Q(**{f"original_name__{'icontains' if is_part else 'istartswith'}": text})


def _fts5_keys(text: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [_phrase(text), count])
        rows: Sequence[tuple[int]] = cursor.fetchall()
    return [key for (key,) in rows]


def _phrase(text: str) -> str:
    """Return a phrase of FTS5, in which nothing is an operator."""
    return '"' + text.replace('"', '""') + '"'
