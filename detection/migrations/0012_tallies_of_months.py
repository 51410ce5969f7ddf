"""Classes and scores are counted apart, and all is counted by month too; classes are listed by an index."""

from typing import Any

from django.db import migrations, models
from django.db.models import Sum
from django.db.models.functions import TruncMonth

_SAME = "span, day, source, model_name, owner_id"
_APART = (
    # The scores of all classes together.
    f"""
    INSERT INTO detection_tally (kind, class_name, detail, {_SAME}, count)
    SELECT 'score', '', detail, {_SAME}, SUM(count) FROM detection_tally
    WHERE kind = 'object' AND detail <> '' GROUP BY detail, {_SAME}
    """,
    # The classes with all their scores together.
    f"""
    INSERT INTO detection_tally (kind, class_name, detail, {_SAME}, count)
    SELECT kind, class_name, '', {_SAME}, SUM(count) FROM detection_tally
    WHERE kind = 'object' AND detail <> '' GROUP BY kind, class_name, {_SAME}
    """,
    "DELETE FROM detection_tally WHERE kind = 'object' AND detail <> ''",
)
_COPIED = ("kind", "class_name", "detail", "source", "model_name", "owner_id")


def count_apart(apps: Any, schema_editor: Any) -> None:
    """From a row for each class and twentieth to a row for each of the two."""
    with schema_editor.connection.cursor() as cursor:
        for statement in _APART:
            cursor.execute(statement)


def add_up_months(apps: Any, schema_editor: Any) -> None:
    """What `tallies.add_up_months` does, as it was at this migration."""
    tally = apps.get_model("detection", "Tally")
    months = tally.objects.annotate(month=TruncMonth("day")).order_by().values("month", *_COPIED)
    tally.objects.bulk_create(
        (
            tally(span="month", day=row["month"], count=row["total"], **{name: row[name] for name in _COPIED})
            for row in list(months.annotate(total=Sum("count")))
        ),
        batch_size=500,
    )


def drop_months(apps: Any, schema_editor: Any) -> None:
    """Back to days; `bookkeeping.rebuild` of the code from before counts classes and scores together again."""
    apps.get_model("detection", "Tally").objects.filter(span="month").delete()


class Migration(migrations.Migration):
    dependencies = [("detection", "0011_review_marks")]

    operations = [
        migrations.AlterField(
            model_name="tally",
            name="kind",
            field=models.CharField(
                choices=[
                    ("photo", "Photo"),
                    ("empty", "Empty"),
                    ("object", "Object"),
                    ("score", "Score"),
                    ("confirmed", "Confirmed"),
                    ("rejected", "Rejected"),
                    ("relabelled", "Relabelled"),
                    ("corrected", "Corrected"),
                    ("added", "Added"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="tally",
            name="span",
            field=models.CharField(choices=[("day", "Day"), ("month", "Month")], default="day", max_length=5),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(model_name="tally", name="one_tally"),
        migrations.AddConstraint(
            model_name="tally",
            constraint=models.UniqueConstraint(
                fields=["kind", "span", "day", "class_name", "detail", "source", "model_name", "owner_id"],
                name="one_tally",
            ),
        ),
        migrations.RunPython(count_apart, migrations.RunPython.noop),
        migrations.RunPython(add_up_months, drop_months),
        migrations.AddIndex(
            model_name="tally",
            index=models.Index(
                fields=["class_name", "owner_id"],
                condition=models.Q(kind="object", span="month"),
                name="tally_class",
            ),
        ),
    ]
