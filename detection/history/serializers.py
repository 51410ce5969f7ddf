"""Serializers of the history."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from detection.inference.types import is_reported
from detection.models import Calibration, DetectedObject, Detection, Photo, calibration_of


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
    calibrated_probability = serializers.SerializerMethodField(
        help_text="Share of objects with this probability that are right, by people's verdicts; null: not calibrated."
    )

    class Meta:
        model = DetectedObject
        fields = [
            "objectClass",
            "probability",
            "calibrated_probability",
            "x",
            "y",
            "width",
            "height",
            "box_unit",
            "reported",
        ]

    def get_box_unit(self, found: DetectedObject) -> list[float]:
        return [found.xmin, found.ymin, found.xmax, found.ymax]

    def get_reported(self, found: DetectedObject) -> bool:
        # Set by the view, so that a list does not read each detection again.
        return is_reported(found, self.context["thresholds"][found.detection_id])

    def get_calibrated_probability(self, found: DetectedObject) -> float | None:
        calibration: Calibration | None = self.context["calibration"]
        return None if calibration is None else round(calibration.probability_of(found.probability), 4)


class DetectionSerializer(serializers.ModelSerializer[Detection]):
    """A detection as it is kept."""

    id = serializers.UUIDField(source="uuid")
    url = serializers.SerializerMethodField()
    page_url = serializers.SerializerMethodField()
    photo_url = serializers.SerializerMethodField()
    annotated_url = serializers.SerializerMethodField()
    operating_point = serializers.CharField(
        allow_null=True, help_text="NAME@NUMBER of the thresholds that decided what is reported; null: `threshold` did."
    )
    calibration = serializers.SerializerMethodField(
        help_text="Number of the model's calibration that `calibrated_probability` is of; null: there is none."
    )
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
            "tiles",
            "tile_grid",
            "threshold",
            "operating_point",
            "calibration",
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

    def get_calibration(self, detection: Detection) -> int | None:
        calibration = self._calibration(detection)
        return None if calibration is None else calibration.number

    @extend_schema_field(DetectedObjectSerializer(many=True))
    def get_objects(self, detection: Detection) -> list[dict[str, Any]]:
        context = {
            "thresholds": {detection.pk: detection.thresholds},
            "calibration": self._calibration(detection),
        }
        rows = DetectedObjectSerializer(detection.objects_found.all(), many=True, context=context)
        return list(rows.data)

    def _calibration(self, detection: Detection) -> Calibration | None:
        """Return the calibration of its model, looked up once for each model of a list."""
        known: dict[tuple[str, str], Calibration | None] = self.context["calibrations"]
        model = (detection.model_name, detection.model_version)
        if model not in known:
            known[model] = calibration_of(*model)
        return known[model]

    def _absolute(self, name: str, detection: Detection) -> str:
        return str(self.context["request"].build_absolute_uri(reverse(name, args=[detection.uuid])))
