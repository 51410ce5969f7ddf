"""A review as JSON: the same for the API and for the page that starts from it."""

from typing import Any

from detection.history.annotations import Judged
from detection.inference.types import PixelBox
from detection.reviews import ReviewState


def review_body(state: ReviewState) -> dict[str, Any]:
    """A review as it stands; `api_reviews.ReviewSerializer` describes it."""
    photo = state.detection.photo
    return {
        "detection": str(state.detection.uuid),
        "version": state.version,
        "is_reviewed": state.is_reviewed,
        "reviewed_at": None if state.reviewed_at is None else state.reviewed_at.isoformat(),
        "reviewed_by": state.reviewer_name,
        "photo_name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "objects": [_object(one) for one in state.objects],
    }


def _object(judged: Judged) -> dict[str, Any]:
    found = judged.found
    model = None
    if found is not None:
        model = {"objectClass": found.class_name, "probability": found.probability, "box": _box(found.box)}
    return {
        "object": judged.key,
        "verdict": judged.kind,
        "objectClass": judged.class_name,
        "box": _box(judged.box),
        "by": judged.reviewer_name,
        "at": None if judged.judged_at is None else judged.judged_at.isoformat(),
        "model": model,
    }


def _box(box: PixelBox) -> dict[str, int]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
