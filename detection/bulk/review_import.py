"""Takes over what people have reviewed in another program: boxes become verdicts on the detection of their photo."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from detection.bulk.reviewed_files import DrawnObject, ReviewedPhoto
from detection.errors import RequestError
from detection.exports.names import photo_name
from detection.history.annotations import Judged
from detection.history.selectors import shown
from detection.inference.types import PixelBox
from detection.models import Detection, Verdict
from detection.review import service as reviews
from detection.review.service import Reviewer, ReviewState, Statement

# Two boxes of one object, as tools that evaluate detectors have it.
_SAME_OBJECT_IOU = 0.5
# Percent and other units do not give each pixel back.
_ROUNDING_PX = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_OWN_NAME = re.compile(r".*_([0-9]{1,18})")
# What Label Studio puts in front of the names of uploaded files.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
NO_DETECTION = "No detection has this photo."
NO_RECTANGLE = "It has a rotated box or a crowd. Draw upright boxes there, or review the photo here."
SEVERAL = "Several photos have this name. Export again from here, so that the file has their ids."


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a reviewed photo. problem: why it was not taken over, or ""."""

    name: str
    problem: str = ""
    is_changed: bool = False


def take_over(photo: ReviewedPhoto, reviewer: Reviewer) -> Outcome:
    """Make verdicts of a reviewed photo, and its review finished. A second time nothing changes."""
    if any(one.box_unit is None for one in photo.objects):
        return Outcome(photo.name, NO_RECTANGLE)
    try:
        detection = find_detection(photo)
        state = reviews.state_of(reviews.reviewable(Detection.objects.all()).get(pk=detection.pk))
        statements = list(_statements(state, photo.objects))
        is_changed = bool(statements) or not state.is_reviewed
        if is_changed:
            reviews.judge(detection, state.version, statements, reviewer, reviewed=True)
    except (RequestError, reviews.ConflictError) as error:
        return Outcome(photo.name, str(error))
    return Outcome(photo.name, is_changed=is_changed)


def find_detection(photo: ReviewedPhoto) -> Detection:
    """Return the detection of a reviewed photo: by the id that our export wrote, by our export's name, by the hash, or
    by the photo's own name, where one photo alone has it. Of several detections of a photo, the newest.

    Raises RequestError.
    """
    known = shown(Detection.objects.select_related("photo")).order_by("-created_at", "-pk")
    try:
        by_id = known.filter(uuid=uuid.UUID(photo.detection)).first() if photo.detection else None
    except ValueError:
        by_id = None
    if by_id is not None:
        return by_id
    for name in _names_of(photo.name):
        stem = PurePosixPath(name).stem
        if own := _OWN_NAME.fullmatch(stem):
            exported = known.filter(pk=int(own[1])).first()
            if exported is not None and photo_name(exported) == PurePosixPath(name).name:
                return exported
        named = known.filter(photo__sha256=stem) if _HASH.fullmatch(stem) else known.filter(photo__original_name=name)
        if found := named.first():
            if named.exclude(photo__sha256=found.photo.sha256).exists():
                raise RequestError(SEVERAL)
            return found
    raise RequestError(NO_DETECTION)


def _names_of(name: str) -> Iterator[str]:
    """Yield the names that a photo may have had here, the likeliest first."""
    yield name
    last = PurePosixPath(name).name
    if last != name:
        yield last
    if uploaded := _UPLOADED.fullmatch(last):
        yield uploaded[1]


def _statements(state: ReviewState, drawn: tuple[DrawnObject, ...]) -> Iterator[Statement]:
    """Yield what has to be said so that the review holds these objects and no others."""
    size_wh = (state.detection.photo.width, state.detection.photo.height)
    placed = [(one.class_name, _in_photo(one.box_unit, size_wh)) for one in drawn if one.box_unit is not None]
    wanted = [(name, box) for name, box in placed if box is not None]
    pairs = _pairs(state.objects, wanted)
    for number, judged in enumerate(state.objects):
        if number in pairs:
            name, box = wanted[pairs[number]]
            is_same_box = _is_close(judged.box, box)
            if name != judged.class_name or not is_same_box:
                yield Statement(judged.key, Verdict.Kind.CORRECTED, name, judged.box if is_same_box else box)
            elif judged.is_open or not judged.is_there:
                yield Statement(judged.key, Verdict.Kind.CONFIRMED)
        elif judged.is_there:
            yield Statement(judged.key, Verdict.Kind.REJECTED)
    for place in sorted(set(range(len(wanted))) - set(pairs.values())):
        yield Statement(None, Verdict.Kind.ADDED, *wanted[place])


def _pairs(objects: tuple[Judged, ...], wanted: list[tuple[str, PixelBox]]) -> dict[int, int]:
    """Pair objects with wanted ones that lie over them: of one class first, then those that overlap most."""
    possible = [
        (judged.class_name != name, -_iou(judged.box, box), number, place)
        for number, judged in enumerate(objects)
        for place, (name, box) in enumerate(wanted)
        if _iou(judged.box, box) >= _SAME_OBJECT_IOU
    ]
    pairs: dict[int, int] = {}
    for _, _, number, place in sorted(possible):
        if number not in pairs and place not in pairs.values():
            pairs[number] = place
    return pairs


def _in_photo(box_unit: tuple[float, float, float, float], size_wh: tuple[int, int]) -> PixelBox | None:
    """Return a box in pixels, clipped to the photo; None where nothing is left of it."""
    (x, y, w, h), (width, height) = box_unit, size_wh
    left, right = (min(max(round(each * width), 0), width) for each in (x, x + w))
    top, bottom = (min(max(round(each * height), 0), height) for each in (y, y + h))
    return PixelBox(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _is_close(box: PixelBox, other: PixelBox) -> bool:
    return all(abs(a - b) <= _ROUNDING_PX for a, b in zip(_corners(box), _corners(other), strict=True))


def _corners(box: PixelBox) -> tuple[int, int, int, int]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def _iou(box: PixelBox, other: PixelBox) -> float:
    left, top, right, bottom = _corners(box)
    other_left, other_top, other_right, other_bottom = _corners(other)
    width = min(right, other_right) - max(left, other_left)
    height = min(bottom, other_bottom) - max(top, other_top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box.width * box.height + other.width * other.height - shared)
