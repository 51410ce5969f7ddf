"""Inserts of many small rows, whose ORM form costs most of what recording a detection takes."""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import connection, models


def insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model, as `bulk_create` does at several times the cost; their primary keys stay unset.

    For models of plain values: numbers, text, truth values, moments and keys of other rows. Raises django.db.Error.
    """
    if not rows:
        return
    statement, values_of, moments = _insert_into(type(rows[0]))
    given: list[Any] = [values_of(row) for row in rows]
    if moments:
        adapt = connection.ops.adapt_datetimefield_value
        given = [
            [adapt(value) if place in moments else value for place, value in enumerate(values)] for values in given
        ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, given)


@cache
def _insert_into(model: type[models.Model]) -> tuple[str, Callable[[models.Model], tuple[Any, ...]], frozenset[int]]:
    """Return the statement, what gets a row's values in its order, and which of them are moments."""
    fields = [each for each in model._meta.concrete_fields if not each.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(each.column)) for each in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608 names of ours
    moments = frozenset(place for place, each in enumerate(fields) if isinstance(each, models.DateTimeField))
    return statement, attrgetter(*(each.attname for each in fields)), moments
