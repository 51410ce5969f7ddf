"""Training sets: frozen from reviewed photos, found by name, and written as files."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from detection.exports.labels import Label
from detection.exports.registry import ExportFormat, Member, export_formats
from detection.exports.selection import Example, Selection
from detection.exports.stream import Export, zipped
from detection.inference.types import PixelBox
from detection.models import Detection, TrainingPhoto, TrainingSet
from detection.photos import rendering
from detection.program import PROGRAM
from detection.training.near_duplicates import fingerprint, groups_of
from detection.training.splits import Split, split_of_each

DESCRIPTION = "training-set.json"
LEAST_PHOTOS = 10
_CHUNK = 500


class TrainingSetError(Exception):
    """The operation is impossible with this training set; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """New training set, the photos without a readable file that were left out, and the size of its largest group."""

    training_set: TrainingSet
    unreadable: int
    largest_group: int


def freeze(name: str, licence: str, detections: QuerySet[Detection], classes: Sequence[str]) -> Frozen:
    """Write the next version of a training set from those of the detections whose review is done.

    Of several detections of one photo the newest counts. classes: of the models, first in the order of the labels.
    Raises TrainingSetError.
    """
    if not name or "@" in name or "/" in name or len(name) > TrainingSet.NAME_LENGTH:
        raise TrainingSetError(f"A name has 1 to {TrainingSet.NAME_LENGTH} characters, no @ and no /: choose another.")
    if not licence.strip():
        raise TrainingSetError("Say with --licence who may use the photos, and for what.")
    selection = Selection.of(detections.filter(review__is_reviewed=True), classes)
    examples, fingerprints, unreadable = _readable(selection)
    if len(examples) < LEAST_PHOTOS:
        raise TrainingSetError(
            f"A training set needs {LEAST_PHOTOS} reviewed photos, and there are {len(examples)}: review "
            f"{LEAST_PHOTOS - len(examples)} more, or choose others by the filters."
        )
    newest = TrainingSet.objects.filter(name=name).order_by("-number").first()
    groups = groups_of(fingerprints).tolist()
    splits = split_of_each(groups, _splits_before(newest, examples))
    rows = [
        TrainingPhoto(
            detection=example.detection,
            photo_sha256=example.detection.photo.sha256,
            split=split,
            group=group,
            labels=[_row(label) for label in example.boxed],
        )
        for example, split, group in zip(examples, splits, groups, strict=True)
    ]
    with transaction.atomic():
        training_set = TrainingSet.objects.create(
            name=name,
            number=newest.number + 1 if newest else 1,
            licence=licence.strip(),
            classes=list(selection.classes),
            sha256=_sha256(rows, selection.classes),
        )
        for row in rows:
            row.training_set = training_set
        TrainingPhoto.objects.bulk_create(rows, batch_size=_CHUNK)
    return Frozen(training_set, unreadable, max(Counter(groups).values()))


def _readable(selection: Selection) -> tuple[list[Example], list[int], int]:
    """Return one example of each photo whose file can be read, with its fingerprint, and the number of the others."""
    newest: dict[str, Example] = {}
    for example in selection.examples():
        newest[example.detection.photo.sha256] = example
    examples, fingerprints, unreadable = [], [], 0
    for example in newest.values():
        try:
            fingerprints.append(fingerprint(rendering.thumbnail(example.detection).jpeg))
        except OSError:
            unreadable += 1
        else:
            examples.append(example)
    return examples, fingerprints, unreadable


def _splits_before(newest: TrainingSet | None, examples: Sequence[Example]) -> list[str | None]:
    known = {} if newest is None else dict(newest.photos.values_list("photo_sha256", "split"))
    return [known.get(example.detection.photo.sha256) for example in examples]


def _row(label: Label) -> list[str | int]:
    box = label.box
    return [label.class_name, box.x, box.y, box.width, box.height]


def _sha256(rows: Sequence[TrainingPhoto], classes: Sequence[str]) -> str:
    """Return the hash of classes, photos, splits and labels, whatever their order in the database."""
    lines = sorted(json.dumps([row.photo_sha256, row.split, sorted(row.labels)]) for row in rows)
    return hashlib.sha256("\n".join([json.dumps(list(classes)), *lines]).encode()).hexdigest()


def find(reference: str) -> TrainingSet:
    """Return NAME@NUMBER, or for NAME its newest version. Raises TrainingSetError."""
    name, _, number = reference.partition("@")
    rows = TrainingSet.objects.filter(name=name)
    if number:
        rows = rows.filter(number=int(number)) if number.isdecimal() else rows.none()
    found = rows.order_by("-number").first()
    if found is None:
        known = ", ".join(map(str, TrainingSet.objects.all())) or "none"
        raise TrainingSetError(
            f"There is no training set {reference}. Known are: {known}. Make one with `{PROGRAM} training_set freeze`."
        )
    return found


def missing(training_set: TrainingSet) -> int:
    """Return how many photos of a training set have been deleted since."""
    return training_set.photos.filter(detection=None).count()


def counts(training_set: TrainingSet) -> dict[str, int]:
    """Return the number of photos in each split that has one."""
    found = Counter(training_set.photos.values_list("split", flat=True))
    return {split: found[split] for split in Split.values if found[split]}


@dataclass(frozen=True, slots=True)
class FrozenSelection(Selection):
    """Detections of a training set with the labels as they were. rows: by primary key of the detection."""

    rows: Mapping[int, TrainingPhoto]

    def examples(self) -> Iterator[Example]:
        """Yield the detections with their frozen labels."""
        for detection in self.photos():
            labels = tuple(
                Label(class_name, None, PixelBox(x, y, width, height))
                for class_name, x, y, width, height in self.rows[detection.pk].labels
            )
            yield Example(detection, self.name_of(detection), self.stem_of(detection), labels)


def selection_of(training_set: TrainingSet, split: str) -> FrozenSelection:
    """Return the photos of a split that are still there."""
    rows = {row.detection_id: row for row in training_set.photos.filter(split=split) if row.detection_id is not None}
    detections = Detection.objects.filter(training_photos__training_set=training_set, training_photos__split=split)
    return FrozenSelection(detections, tuple(training_set.classes), max(rows, default=0), rows)


def blocks(training_set: TrainingSet, format_name: str = "yolo", splits: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield a zip with a folder for each split, each an export with photos, and a description. splits: () for all.

    In YOLO's form there is one `data.yaml` for all, as Ultralytics and RF-DETR read it.
    """
    return zipped(_members(training_set, export_formats()[format_name], splits))


def _members(training_set: TrainingSet, chosen: ExportFormat, splits: Sequence[str]) -> Iterator[Member]:
    present = [split for split in counts(training_set) if not splits or split in splits]
    yield Member(DESCRIPTION, _description(training_set))
    is_yolo = chosen.name == "yolo"
    if is_yolo:
        yield Member("data.yaml", _data_yaml(training_set.classes, present))
    for split in present:
        for member in Export(selection_of(training_set, split), chosen, photos=True).members():
            if not (is_yolo and member.name == "data.yaml"):
                yield replace(member, name=f"{split}/{member.name}")


def _description(training_set: TrainingSet) -> bytes:
    described = {
        "name": str(training_set),
        "sha256": training_set.sha256,
        "licence": training_set.licence,
        "created_at": training_set.created_at.isoformat(),
        "photos": counts(training_set),
        "photos_deleted_since": missing(training_set),
        "classes": training_set.classes,
    }
    return (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode()


def _data_yaml(classes: Sequence[str], splits: Sequence[str]) -> bytes:
    """Format data.yaml; without photos to validate on, those of the training stand there."""
    lines = [f"train: {Split.TRAIN}/images\n" if Split.TRAIN in splits else ""]
    if Split.VALID in splits or Split.TRAIN in splits:
        lines.append(f"val: {Split.VALID if Split.VALID in splits else Split.TRAIN}/images\n")
    lines.append(f"test: {Split.TEST}/images\n" if Split.TEST in splits else "")
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(classes))
    return f"{''.join(lines)}nc: {len(classes)}\nnames:\n{names}".encode()


def write_test_photos(training_set: TrainingSet, path: Path) -> None:
    """Write the test split as a zip that `evaluate` reads. Raises TrainingSetError, OSError."""
    if Split.TEST not in counts(training_set):
        raise TrainingSetError(
            f"{training_set} has no photos to test on: most of its photos are nearly the same. Freeze one with others."
        )
    with path.open("wb") as file:
        file.writelines(blocks(training_set, splits=(Split.TEST,)))
