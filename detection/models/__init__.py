"""Tables of the app, one module per subject, re-exported here."""

from detection.models.batches import Batch, BatchItem
from detection.models.detections import REPORTED, STAGES, DetectedObject, Detection, Photo, Removal
from detection.models.lists import ListEntry, Tally
from detection.models.reviews import Review, Verdict
from detection.models.shadow import ShadowCount, ShadowRun
from detection.models.versions import ModelVersion

__all__ = [
    "REPORTED",
    "STAGES",
    "Batch",
    "BatchItem",
    "DetectedObject",
    "Detection",
    "ListEntry",
    "ModelVersion",
    "Photo",
    "Removal",
    "Review",
    "ShadowCount",
    "ShadowRun",
    "Tally",
    "Verdict",
]
