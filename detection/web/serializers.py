"""Serializers of predictions and errors, and the JSON of a response."""

import json
from typing import Any

from rest_framework import serializers

from detection.inference.batch_detector import prediction_body

__all__ = ["ErrorSerializer", "PredictedObjectSerializer", "PredictionSerializer", "prediction_body", "to_json"]


def to_json(body: dict[str, Any] | list[Any]) -> bytes:
    """Encode JSON as on all interfaces: compact, UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


class PredictedObjectSerializer(serializers.Serializer[Any]):
    """One object of an answer, for the API's description."""

    objectClass = serializers.CharField()  # noqa: N815  (the contract's spelling)
    probability = serializers.FloatField(min_value=0.0, max_value=1.0)
    x = serializers.IntegerField(min_value=0, help_text="Left edge in pixels of the upright photo.")
    y = serializers.IntegerField(min_value=0, help_text="Top edge in pixels of the upright photo.")
    width = serializers.IntegerField(min_value=0)
    height = serializers.IntegerField(min_value=0)


class PredictionSerializer(serializers.Serializer[Any]):
    """The answer of a detection, for the API's description."""

    prediction = PredictedObjectSerializer(many=True)


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error, for the API's description."""

    error = serializers.CharField(help_text="A sentence that says what to do.")
