"""Serializers of batches and their photos."""

from typing import Any

from rest_framework import serializers

from detection.batches import service as batches
from detection.inference.tiles.grid import CHOICES
from detection.models import BatchItem
from detection.web.serializers import PredictionSerializer

_TOO_MANY = "A batch has at most {max_length:,} photos. Send them in parts."


class ListedPhotoSerializer(serializers.Serializer[Any]):
    """A photo that will be sent."""

    name = serializers.CharField(trim_whitespace=False, allow_blank=True, help_text="Cut after 255 characters.")
    size_bytes = serializers.IntegerField(min_value=0, max_value=2**53)


class NewBatchSerializer(serializers.Serializer[Any]):
    """The list of the photos of a batch, before any of them is sent."""

    name = serializers.CharField(allow_blank=True, default="", help_text="For people; cut after 255 characters.")
    threshold = serializers.FloatField(
        min_value=0.0,
        max_value=1.0,
        allow_null=True,
        default=None,
        help_text="Left out: PROBABILITY_MORE, or what the model's card says.",
    )
    model = serializers.CharField(
        allow_blank=True, default="", help_text="One of `GET /api/models`; left out: the one that answers by default."
    )
    tiles = serializers.ChoiceField(
        CHOICES,
        allow_blank=True,
        default="",
        help_text="Tiles a side beside the whole photo, for small objects; left out: as the model's card says.",
    )
    # Counted before any of them is looked at. A page with more would not be fast any more.
    photos: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ListedPhotoSerializer(),
        allow_empty=False,
        max_length=batches.MAX_PHOTOS,
        error_messages={"max_length": _TOO_MANY},
    )


class BatchPhotoStateSerializer(serializers.Serializer[Any]):
    """State of a photo of a batch, for the API's description."""

    position = serializers.IntegerField()
    state = serializers.ChoiceField(BatchItem.State.choices)
    error = serializers.CharField(help_text="Why it failed, and what to do.")
    detection = serializers.UUIDField(allow_null=True)
    summary = serializers.CharField()
    objects = serializers.DictField(child=serializers.IntegerField(), help_text="Reported objects per class.")


class AnsweredBatchPhotoSerializer(BatchPhotoStateSerializer, PredictionSerializer):
    """The answer to a photo of a batch, for the API's description."""


class BatchPhotoSerializer(BatchPhotoStateSerializer):
    """One photo of a batch, for the API's description."""

    name = serializers.CharField()
    size_bytes = serializers.IntegerField()


class BatchTotalsSerializer(serializers.Serializer[Any]):
    """State of a batch, for the API's description."""

    photos = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    waiting = serializers.IntegerField()
    objects = serializers.DictField(child=serializers.IntegerField())


class ListedBatchSerializer(serializers.Serializer[Any]):
    """A batch in the list of batches, for the API's description."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    url = serializers.URLField()
    page_url = serializers.URLField()
    photos = serializers.IntegerField()
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    waiting = serializers.IntegerField()


class BatchPageSerializer(serializers.Serializer[Any]):
    """A page of the list of batches, for the API's description."""

    next = serializers.URLField(allow_null=True)
    results = ListedBatchSerializer(many=True)


class BatchSerializer(serializers.Serializer[Any]):
    """A batch, for the API's description."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    threshold = serializers.FloatField()
    model = serializers.CharField(allow_blank=True, help_text="Empty: the one that answers by default.")
    tiles = serializers.CharField(allow_blank=True, help_text="Empty: as the model's card says.")
    page_url = serializers.URLField()
    totals = BatchTotalsSerializer()
    items = BatchPhotoSerializer(many=True)
