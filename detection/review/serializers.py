"""Serializers of reviews, for the API and for the page that starts from it."""

from typing import Any

from rest_framework import serializers

from detection.history.annotations import Judged, weaker_of
from detection.inference.types import PixelBox
from detection.review import service as review_service
from detection.review.queue import Place, Queue
from detection.review.queues.registry import KINDS
from detection.review.service import ReviewState
from detection.web.serializers import ErrorSerializer


def review_body(state: ReviewState) -> dict[str, Any]:
    """Return a review as JSON; `ReviewSerializer` describes it."""
    photo = state.detection.photo
    return {
        "detection": str(state.detection.uuid),
        "version": state.version,
        "is_reviewed": state.is_reviewed,
        "is_blind": state.is_blind,
        "can_be_blind": state.can_be_blind,
        "reviewed_at": None if state.reviewed_at is None else state.reviewed_at.isoformat(),
        "reviewed_by": state.reviewer_name,
        "photo_name": photo.original_name,
        "width": photo.width,
        "height": photo.height,
        "objects": [_object(one) for one in state.objects],
        "weaker": [_object(one) for one in weaker_of(state.detection)],
        "last_added": max((one.added_number or 0 for one in state.detection.verdicts.all()), default=0),
    }


def place_body(place: Place) -> dict[str, Any]:
    """Return a place as JSON; `ReviewPlaceSerializer` describes it."""
    return {"detection": str(place.detection), "reason": place.reason, "asked": list(place.asked)}


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


MAX_VERDICTS = 500


MAX_NEXT = 20


# Kinds that callers may send; the others are written by the server.
SENT_KINDS = ("confirmed", "rejected", "relabelled", "corrected", "added", "cleared")


_MAX_PIXEL = 2**31 - 1


class BoxSerializer(serializers.Serializer[Any]):
    """A rectangle in pixels of the upright photo."""

    x = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)
    y = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)
    width = serializers.IntegerField(min_value=1, max_value=_MAX_PIXEL)
    height = serializers.IntegerField(min_value=1, max_value=_MAX_PIXEL)


class ModelObjectSerializer(serializers.Serializer[Any]):
    """The model's own object, which no verdict changes."""

    objectClass = serializers.CharField()  # noqa: N815  (the contract's spelling)
    probability = serializers.FloatField()
    box = BoxSerializer()


class ReviewedObjectSerializer(serializers.Serializer[Any]):
    """An object as it stands, and the model's own object."""

    object = serializers.CharField(help_text="Names it in a verdict: its rank, or a1, a2, ... for a drawn one.")
    verdict = serializers.ChoiceField(["", *SENT_KINDS], help_text="The newest one; empty where nobody has judged it.")
    objectClass = serializers.CharField()  # noqa: N815  (the contract's spelling)
    box = BoxSerializer()
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)
    model = ModelObjectSerializer(allow_null=True, help_text="null for an object that a person drew.")


class ReviewSerializer(serializers.Serializer[Any]):
    """A review as it stands."""

    detection = serializers.UUIDField()
    version = serializers.IntegerField(help_text="Send it with verdicts: it tells what you have seen.")
    is_reviewed = serializers.BooleanField()
    is_blind = serializers.BooleanField(
        help_text="Finished before the reviewer saw what the model found, and not changed since."
    )
    can_be_blind = serializers.BooleanField(
        help_text="Nothing was said yet by anybody who saw what the model found: steps may be `blind`."
    )
    reviewed_at = serializers.DateTimeField(allow_null=True)
    reviewed_by = serializers.CharField(allow_blank=True)
    photo_name = serializers.CharField(allow_blank=True)
    width = serializers.IntegerField(help_text="Of the photo.")
    height = serializers.IntegerField()
    objects = ReviewedObjectSerializer(many=True)
    weaker = ReviewedObjectSerializer(
        many=True, help_text="Below the threshold, most probable first: a verdict makes one an object of the review."
    )
    last_added = serializers.IntegerField(
        help_text="Of the drawn objects so far: the next one is a plus the next number."
    )


class ReviewConflictSerializer(ErrorSerializer):
    """Conflict with another reviewer's step."""

    review = ReviewSerializer()


class VerdictSerializer(serializers.Serializer[Any]):
    """A verdict on one object; a class and a box where it needs them."""

    object = serializers.CharField(required=False, allow_null=True, default=None, max_length=12)
    verdict = serializers.ChoiceField(SENT_KINDS)
    objectClass = serializers.CharField(  # noqa: N815  (the contract's spelling)
        required=False, allow_null=True, default=None, max_length=review_service.CLASS_NAME_LENGTH
    )
    box = BoxSerializer(required=False, allow_null=True, default=None)


class ReviewVersionSerializer(serializers.Serializer[Any]):
    """The version that the reviewer has seen."""

    version = serializers.IntegerField(min_value=0, max_value=_MAX_PIXEL)


class ReviewStepSerializer(ReviewVersionSerializer):
    """A step of a review."""

    # Counted before any of them is looked at: one step is one short transaction.
    verdicts: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=VerdictSerializer(),
        required=False,
        default=list,
        max_length=MAX_VERDICTS,
        error_messages={"max_length": "At most {max_length} verdicts go into one step. Send them in parts."},
    )
    reviewed = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="true: done, and what is still open is confirmed; false: open again.",
    )
    blind = serializers.BooleanField(
        required=False,
        default=False,
        help_text="true: the reviewer has not seen what the model found. `reviewed` then corrects, relabels or rejects "
        "the model's objects by those that were drawn.",
    )


class ReviewPlaceSerializer(serializers.Serializer[Any]):
    """A detection in a queue."""

    detection = serializers.UUIDField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it is there, in the caller's language.")
    asked = serializers.ListField(
        child=serializers.CharField(), help_text="Objects that want a verdict of their own, also weaker ones."
    )


class ReviewQueueSerializer(serializers.Serializer[Any]):
    """The next detections of a queue."""

    detections = serializers.ListField(child=serializers.UUIDField())
    places = ReviewPlaceSerializer(many=True, help_text="The same ones, and why they are there.")


class QueueQuerySerializer(serializers.Serializer[Any]):
    """Query of a queue."""

    order = serializers.ChoiceField(list(KINDS), default="lowest")
    reviewed = serializers.ChoiceField(["0", "1"], default="0")
    album = serializers.UUIDField(default=None, help_text="Detections in this album alone.")
    after = serializers.UUIDField(default=None)
    count = serializers.IntegerField(min_value=1, max_value=MAX_NEXT, default=5)

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which is a keyword of Python."""
        return {**super().get_fields(), "class": serializers.CharField(default="", allow_blank=True, max_length=100)}

    def queue(self) -> Queue:
        """Return the queue of valid parameters."""
        data = self.validated_data
        return Queue(KINDS[data["order"]], data["class"], data["reviewed"] == "1", data["album"])
