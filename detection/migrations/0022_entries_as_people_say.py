from collections import defaultdict
from itertools import groupby
from operator import attrgetter

from django.db import migrations

OUT = {"rejected", "cleared"}
MARKS = {"rejected": "has_rejected", "relabelled": "has_changed", "corrected": "has_changed", "added": "has_added"}
CHUNK = 500
COPIED = ("detection_id", "owner_id", "source", "is_reviewed", "created_at")


def say_what_people_said(apps, _schema_editor):
    """Write what `indexing.mark` writes from now on, for the verdicts that are there."""
    verdicts = apps.get_model("detection", "Verdict").objects.order_by("detection_id", "step", "id")
    detections = apps.get_model("detection", "Detection").objects
    entries = apps.get_model("detection", "ListEntry").objects
    for pk, of_one in groupby(verdicts.iterator(CHUNK), key=attrgetter("detection_id")):
        newest = {(one.found_id, one.added_number): one for one in of_one}
        newest.pop((None, None), None)
        held = {entry.class_name: entry for entry in entries.filter(detection_id=pk)}
        for name, fields in fields_of(detections.get(pk=pk), newest).items():
            if name in held:
                entries.filter(pk=held[name].pk).update(**fields)
            elif "" in held:
                copied = {field: getattr(held[""], field) for field in COPIED}
                entries.create(class_name=name, lowest=1.0, **copied, **fields)


def fields_of(detection, newest):
    """Return what the entry of each class, and that of all objects, holds by what people said."""
    fields = defaultdict(lambda: {"highest": 0.0, "has_rejected": False, "has_changed": False, "has_added": False})
    for name, own_name, kind, probability in objects_of(detection, newest):
        for entry in {"", name, own_name}:
            if kind in MARKS:
                fields[entry][MARKS[kind]] = True
        for entry in ("", name):
            if kind not in OUT:
                fields[entry]["highest"] = max(fields[entry]["highest"], probability)
        # The model's own class has an entry also where nothing of it is left.
        fields[own_name], fields[""]
    return fields


def objects_of(detection, newest):
    """Yield class, the model's class, verdict and probability of each object of a review."""
    for found in detection.objects_found.all():
        verdict = newest.get((found.pk, None))
        kind = "" if verdict is None or verdict.kind == "cleared" else verdict.kind
        name = verdict.class_name if kind else found.class_name
        if kind or found.probability > detection.threshold:
            yield name, found.class_name, kind, found.probability if name == found.class_name else 1.0
    for (found_id, _number), verdict in newest.items():
        if found_id is None and verdict.kind not in OUT:
            yield verdict.class_name, verdict.class_name, verdict.kind, 1.0


class Migration(migrations.Migration):

    dependencies = [
        ("detection", "0021_albums"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="tally", name="tally_class"),
        migrations.RunPython(say_what_people_said, migrations.RunPython.noop),
    ]
