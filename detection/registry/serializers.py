"""Serializers of models and their lists."""

from typing import Any

from rest_framework import serializers


class ModelSerializer(serializers.Serializer[Any]):
    """The loaded model."""

    name = serializers.CharField()
    version = serializers.CharField(allow_blank=True, help_text="Of its card; empty for a bare checkpoint.")
    sha256 = serializers.CharField(help_text="Of the checkpoint's files.")
    engine = serializers.CharField()
    device = serializers.CharField()
    precision = serializers.CharField()
    precision_reason = serializers.CharField(allow_blank=True, help_text="Why it runs in that precision.")
    classes = serializers.ListField(child=serializers.CharField())
    input_edge = serializers.IntegerField(help_text="The network sees the photo as a square of this many pixels.")
    threshold = serializers.FloatField(
        help_text="Reported are objects with a probability above it, unless asked otherwise."
    )
    operating_point = serializers.CharField(
        allow_null=True, help_text="NAME@NUMBER of the active operating point; null where `threshold` decides alone."
    )
    class_thresholds = serializers.DictField(
        child=serializers.FloatField(), help_text="Thresholds of classes that have their own in the operating point."
    )
    tiles = serializers.CharField(
        help_text="Tiles a side that are looked at beside the whole photo, unless asked otherwise; 1: none."
    )
    kept_from_probability = serializers.FloatField(
        help_text="Objects from this probability up are kept in the history."
    )
    problem = serializers.CharField(
        allow_blank=True, help_text="Which model is active, could not be loaded, and is stood in for by this one."
    )


class ListedModelSerializer(serializers.Serializer[Any]):
    """A model that `?model=` can name."""

    name = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    family = serializers.CharField(allow_blank=True, help_text="How its outputs become boxes.")
    sha256 = serializers.CharField(allow_blank=True)
    input_width = serializers.IntegerField(allow_null=True)
    input_height = serializers.IntegerField(allow_null=True)
    classes = serializers.ListField(child=serializers.CharField())
    operating_point = serializers.CharField(
        allow_null=True, help_text="NAME@NUMBER of the active operating point; null where `threshold` decides alone."
    )
    class_thresholds = serializers.DictField(
        child=serializers.FloatField(), help_text="Thresholds of classes that have their own in the operating point."
    )
    is_default = serializers.BooleanField()
    is_loaded = serializers.BooleanField()
    precision = serializers.CharField(allow_blank=True, help_text="What it runs in, once it is loaded.")
    precision_reason = serializers.CharField(allow_blank=True, help_text="Why it runs in that precision.")
    problem = serializers.CharField(
        allow_blank=True, help_text="Why it cannot be used; for the default, why the active one cannot."
    )


class ModelListSerializer(serializers.Serializer[Any]):
    """All models, and what they take."""

    models = ListedModelSerializer(many=True)
    max_resident_models = serializers.IntegerField(help_text="The one unused longest leaves the memory beyond it.")
    resident_memory_bytes = serializers.IntegerField(allow_null=True, help_text="Of this server process.")
