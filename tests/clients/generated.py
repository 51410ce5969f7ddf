"""Uses the client that openapi-python-client made of /api/schema/: predicts, lists, reviews, exports.

`generated.py URL PHOTO`, with the package `detector_client` in the path; prints what it got as JSON.
"""

import io
import json
import sys
from pathlib import Path
from typing import Any

from detector_client import Client
from detector_client.api.batches import create_batch, get_batch, send_batch_photo
from detector_client.api.detection import predict
from detector_client.api.export import export_detections
from detector_client.api.history import get_detection, list_detections
from detector_client.api.models import list_models
from detector_client.api.review import get_review, record_verdicts, undo_review_step
from detector_client.models import (
    Error,
    ExportDetectionsFormat,
    ListedPhoto,
    NewBatch,
    Prediction,
    ReviewStep,
    ReviewVersion,
    Verdict,
    VerdictKind,
)
from detector_client.types import File


def predicted(client: Client, photo: Path) -> dict[str, Any]:
    """Send a photo, and what is none."""
    answer = predict.sync_detailed(client=client, body=_file(photo.read_bytes()), threshold=0.3, x_file_name=photo.name)
    refused = predict.sync_detailed(client=client, body=_file(b"text"))
    assert isinstance(answer.parsed, Prediction), answer.content
    assert isinstance(refused.parsed, Error)
    return {
        "objects": [one.to_dict() for one in answer.parsed.prediction],
        "detection": answer.headers["X-Detection-Id"],
        "refusal": refused.parsed.error,
    }


def _file(data: bytes) -> File:
    return File(payload=io.BytesIO(data))


def reviewed(client: Client, detection: str) -> dict[str, Any]:
    """Confirm the first object, then take that back."""
    before = get_review.sync(detection, client=client)
    verdict = Verdict(object_=before.objects[0].object_, verdict=VerdictKind.CONFIRMED)
    step = ReviewStep(version=before.version, verdicts=[verdict], reviewed=True)
    after = record_verdicts.sync(detection, client=client, body=step)
    conflict = record_verdicts.sync_detailed(detection, client=client, body=step)
    undone = undo_review_step.sync(detection, client=client, body=ReviewVersion(version=after.version))
    return {
        "verdicts": [one.verdict.value for one in after.objects],
        "is_reviewed": after.is_reviewed,
        "conflict": [int(conflict.status_code), conflict.parsed.review.version],
        "undone": undone.is_reviewed,
    }


def batched(client: Client, photo: Path) -> dict[str, Any]:
    """List a photo, send it, and read the batch."""
    listed = [ListedPhoto(name=photo.name, size_bytes=photo.stat().st_size)]
    batch = create_batch.sync(client=client, body=NewBatch(photos=listed, name="generated"))
    sent = send_batch_photo.sync(batch.id, 0, client=client, body=_file(photo.read_bytes()))
    return {"state": sent.state.value, "done": get_batch.sync(batch.id, client=client).totals.done}


def main(url: str, photo: Path) -> None:
    """Do all of it and print the answers."""
    client = Client(url)
    found = predicted(client, photo)
    detection = found["detection"]
    page = list_detections.sync(client=client, class_=["cat"], page_size=5)
    exported = export_detections.sync(client=client, format_=ExportDetectionsFormat.COCO)
    answers = {
        **found,
        "models": [one.name for one in list_models.sync(client=client).models],
        "listed": [str(one.id) for one in page.results],
        "photo": get_detection.sync(detection, client=client).photo.original_name,
        **reviewed(client, detection),
        "categories": sorted({one["category_id"] for one in exported.to_dict()["annotations"]}) != [],
        **batched(client, photo),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
