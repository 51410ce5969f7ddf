"""Tables of the app, one module per subject, re-exported here."""

from detection.models.albums import Album, AlbumPhoto, BulkAction
from detection.models.batches import Batch, BatchItem
from detection.models.calibrations import Calibration, calibration_of
from detection.models.detections import STAGES, DetectedObject, Detection, Photo, Removal, is_reported_row
from detection.models.drift import DriftDay, DriftReference
from detection.models.lists import ListEntry, Tally
from detection.models.points import OperatingPoint, PointClass
from detection.models.queues import QueuePlace, QueueProgress, ReviewClaim
from detection.models.reviews import Review, SecondOpinion, SentStep, Verdict
from detection.models.samples import Sample, SampledObject, SampleStratum
from detection.models.shadow import ShadowCount, ShadowRun
from detection.models.sharing import ShareLink
from detection.models.tokens import ApiToken, token_of
from detection.models.training import TrainingMeasurement, TrainingPhoto, TrainingSet
from detection.models.versions import ModelVersion
from detection.models.votes import Vote
from detection.models.webhooks import Webhook, WebhookEvent

__all__ = [
    "STAGES",
    "Album",
    "AlbumPhoto",
    "ApiToken",
    "Batch",
    "BatchItem",
    "BulkAction",
    "Calibration",
    "DetectedObject",
    "Detection",
    "DriftDay",
    "DriftReference",
    "ListEntry",
    "ModelVersion",
    "OperatingPoint",
    "Photo",
    "PointClass",
    "QueuePlace",
    "QueueProgress",
    "Removal",
    "Review",
    "ReviewClaim",
    "Sample",
    "SampleStratum",
    "SampledObject",
    "SecondOpinion",
    "SentStep",
    "ShadowCount",
    "ShadowRun",
    "ShareLink",
    "Tally",
    "TrainingMeasurement",
    "TrainingPhoto",
    "TrainingSet",
    "Verdict",
    "Vote",
    "Webhook",
    "WebhookEvent",
    "calibration_of",
    "is_reported_row",
    "token_of",
]
