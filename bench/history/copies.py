"""Copies a synthetic history to earlier days, by the database alone: a million rows in minutes, not hours."""

from collections.abc import Iterator

from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models import Max, Sum
from django.db.models.functions import TruncMonth

from detection.models import DetectedObject, Detection, ListEntry, Photo, Review, Tally, Verdict

# The table of each foreign key: its values move with that table's.
_MOVED = {"photo_id": Photo, "detection_id": Detection, "found_id": DetectedObject}
_IN_THE_PAST = {
    "sqlite": ("date({0}, '-' || %s || ' days') || substr({0}, 11)", "date({0}, '-' || %s || ' days')"),
    "postgresql": ("{0} - make_interval(days => %s)", "({0} - make_interval(days => %s))::date"),
}
_NEW_UUID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
_COUNTED = ("kind", "class_name", "detail", "source", "model_name", "owner_id")
_ROWS_AT_ONCE = 500
_COPIED: tuple[type[models.Model], ...] = (Photo, Detection, DetectedObject, ListEntry, Review, Verdict, Tally)


def copy_into_the_past(copies: int, days: int) -> Iterator[int]:
    """Copy all rows, each copy so many days earlier and in a transaction; yield the number of detections so far."""
    spans = {model: _span(model) for model in _COPIED}
    # A month that is moved by days is no month any more.
    Tally.objects.filter(span=Tally.Span.MONTH).delete()
    for number in range(1, copies + 1):
        with transaction.atomic():
            for model in _COPIED:
                _copy(model, spans, number, days)
        yield number
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(_COPIED)):
            cursor.execute(statement)
    with transaction.atomic():
        add_up_months()


def add_up_months() -> None:
    """Rebuild the rows of months from those of days."""
    Tally.objects.filter(span=Tally.Span.MONTH).delete()
    days = Tally.objects.filter(span=Tally.Span.DAY).annotate(month=TruncMonth("day"))
    sums = days.order_by().values("month", *_COUNTED).annotate(total=Sum("count"))
    Tally.objects.bulk_create(
        (
            Tally(span=Tally.Span.MONTH, day=row["month"], count=row["total"], **{name: row[name] for name in _COUNTED})
            for row in sums.iterator()
        ),
        batch_size=_ROWS_AT_ONCE,
    )


def _span(model: type[models.Model]) -> int:
    """Return the offset between the keys of a copy."""
    highest = model._default_manager.aggregate(highest=Max("pk"))["highest"]
    return int(highest or 0)


def _copy(model: type[models.Model], spans: dict[type[models.Model], int], number: int, days: int) -> None:
    columns, values, given = [], [], []
    for field in model._meta.concrete_fields:
        name = connection.ops.quote_name(str(field.column))
        columns.append(name)
        moved = model if field.primary_key else _MOVED.get(str(field.attname))
        if moved is not None:
            values.append(f"{name} + %s")
            given.append(number * spans[moved])
        elif isinstance(field, models.UUIDField):
            values.append(_NEW_UUID[connection.vendor])
        elif isinstance(field, models.DateField):
            is_day = not isinstance(field, models.DateTimeField)
            values.append(_IN_THE_PAST[connection.vendor][is_day].format(name))
            given.append(number * days)
        else:
            values.append(name)
    table = connection.ops.quote_name(model._meta.db_table)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE id <= %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*given, spans[model]])
