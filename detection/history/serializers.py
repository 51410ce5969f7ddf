"""Serializers of the history."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from detection.inference.types import is_reported
from detection.models import DetectedObject, Detection, Photo


class PhotoSerializer(serializers.ModelSerializer[Photo]):
    """A stored photo."""

    class Meta:
        model = Photo
        fields = ["uuid", "sha256", "original_name", "format", "width", "height", "size_bytes", "share_read"]


class DetectedObjectSerializer(serializers.ModelSerializer[DetectedObject]):
    """A kept object: the contract's fields, its box in fractions, and whether it is above the detection's threshold."""

    objectClass = serializers.CharField(source="class_name")  # noqa: N815  (the contract's spelling)
    box_unit = serializers.SerializerMethodField(help_text="xmin, ymin, xmax, ymax in fractions of the photo.")
    reported = serializers.SerializerMethodField()

    class Meta:
        model = DetectedObject
        fields = ["objectClass", "probability", "x", "y", "width", "height", "box_unit", "reported"]

    def get_box_unit(self, found: DetectedObject) -> list[float]:
        return [found.xmin, found.ymin, found.xmax, found.ymax]

    def get_reported(self, found: DetectedObject) -> bool:
        # Set by the view, so that a list does not read each detection again.
        return is_reported(found, self.context["thresholds"][found.detection_id])


class DetectionSerializer(serializers.ModelSerializer[Detection]):
    """A detection as it is kept."""

    id = serializers.UUIDField(source="uuid")
    url = serializers.SerializerMethodField()
    page_url = serializers.SerializerMethodField()
    photo_url = serializers.SerializerMethodField()
    annotated_url = serializers.SerializerMethodField()
    photo = PhotoSerializer()
    objects = serializers.SerializerMethodField()

    class Meta:
        model = Detection
        fields = [
            "id",
            "created_at",
            "source",
            "model_name",
            "model_version",
            "model_sha256",
            "engine",
            "device",
            "precision",
            "threshold",
            "reported_count",
            "timings_ms",
            "url",
            "page_url",
            "photo_url",
            "annotated_url",
            "photo",
            "objects",
        ]

    def get_url(self, detection: Detection) -> str:
        return self._absolute("detection", detection)

    def get_page_url(self, detection: Detection) -> str:
        return self._absolute("detection-page", detection)

    def get_photo_url(self, detection: Detection) -> str:
        return self._absolute("detection-photo", detection)

    def get_annotated_url(self, detection: Detection) -> str:
        return self._absolute("detection-annotated", detection)

    @extend_schema_field(DetectedObjectSerializer(many=True))
    def get_objects(self, detection: Detection) -> list[dict[str, Any]]:
        context = {"thresholds": {detection.pk: detection.threshold}}
        rows = DetectedObjectSerializer(detection.objects_found.all(), many=True, context=context)
        return list(rows.data)

    def _absolute(self, name: str, detection: Detection) -> str:
        return str(self.context["request"].build_absolute_uri(reverse(name, args=[detection.uuid])))
