"""Serializers of the requests of /api/predict."""

from typing import Any

from rest_framework import serializers

from detection.inference.tiles.grid import CHOICES


class PredictUploadSerializer(serializers.Serializer[Any]):
    """A form with a photo, for the API's description. Its other fields are those of the query, which counts first."""

    image = serializers.FileField()
    threshold = serializers.FloatField(required=False, min_value=0.0, max_value=1.0)
    store = serializers.BooleanField(required=False)
    model = serializers.CharField(required=False)
    tiles = serializers.ChoiceField(CHOICES, required=False)
