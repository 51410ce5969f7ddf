"""An index of the photos' names for the admin's search (`detection/admin_search.py`).

Each database wants another one for Django's `istartswith`, which no `models.Index` says for both.
"""

from django.db import migrations

INDEXES = {
    "sqlite": "CREATE INDEX photo_name ON detection_photo (original_name COLLATE NOCASE)",
    "postgresql": "CREATE INDEX photo_name ON detection_photo (UPPER(original_name::text) text_pattern_ops)",
}


def make(_apps, schema_editor):
    schema_editor.execute(INDEXES[schema_editor.connection.vendor])


def drop(_apps, schema_editor):
    schema_editor.execute("DROP INDEX photo_name")


class Migration(migrations.Migration):
    dependencies = [("detection", "0014_verdict_class")]

    operations = [migrations.RunPython(make, drop)]
