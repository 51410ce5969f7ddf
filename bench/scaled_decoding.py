"""What decoding JPEGs at a fraction of their size changes in the detections of the MobileNet-SSD.

Each annotated photo is enlarged so that half its size keeps a given multiple of the network's edge on its shorter side,
and saved as a JPEG. It is then decoded in full and by libjpeg at 1/2; the detector gets both without loss. To tell what
a change of that size means, the full photo is also saved once more as a JPEG of quality 95.
"""

import argparse
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import django
import numpy as np
from PIL import Image

from bench import models, part
from bench.models import Model
from bench.part import Context
from bench.photos import encoded
from bench.report import Report, Table
from detection.conf import current
from detection.evaluation.annotations import AnnotatedPhoto
from detection.evaluation.datasets import load_dataset
from detection.evaluation.results import PhotoResult, iou
from detection.evaluation.runs import MIN_PROBABILITY, photo_result
from detection.evaluation.scores import score
from detection.inference.detector import Detector, load_detector

ANNOTATED = Path(__file__).resolve().parents[2] / "shared" / "annotated"
RATIOS = (1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 4.0)
IN_FULL = "in full"
_QUALITY, _QUALITY_AGAIN = 92, 95
_SHOWN, _REPORTED = 0.1, 0.5
_SAME_OBJECT_IOU = 0.5


def enlarged(data: bytes, short_edge_px: int) -> bytes:
    """A JPEG of the photo with that many pixels on its shorter side."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    ratio = short_edge_px / min(image.size)
    size_wh = round(image.width * ratio), round(image.height * ratio)
    return encoded(image.resize(size_wh, Image.Resampling.LANCZOS), "JPEG", quality=_QUALITY)


def in_full(data: bytes) -> bytes:
    """The photo as a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        return encoded(image, "PNG", compress_level=0)


def at_half(data: bytes) -> bytes:
    """The photo, decoded at half its size, as a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(image.mode, (image.width // 2, image.height // 2))
        return encoded(image, "PNG", compress_level=0)


def saved_again(data: bytes) -> bytes:
    """The photo as a PNG after another pass through JPEG."""
    with Image.open(io.BytesIO(data)) as image:
        return in_full(encoded(image, "JPEG", quality=_QUALITY_AGAIN))


WAYS: Mapping[str, Callable[[bytes], bytes]] = {IN_FULL: in_full, "at 1/2": at_half, "saved again": saved_again}


def changes(before: Sequence[PhotoResult], after: Sequence[PhotoResult], least: float) -> list[float]:
    """By how much the probability of each object above `least` changed; one without a partner has lost all of it."""
    return [each for pair in zip(before, after, strict=True) for each in _changes_of_photo(*pair, least)]


def _changes_of_photo(before: PhotoResult, after: PhotoResult, least: float) -> list[float]:
    found = []
    for index in np.flatnonzero(before.probabilities > least):
        same_class = after.found_classes == before.found_classes[index]
        overlaps = iou(before.found_boxes_xyxy_px[index], after.found_boxes_xyxy_px) * same_class
        partner = int(overlaps.argmax()) if len(overlaps) else -1
        is_same = partner >= 0 and overlaps[partner] >= _SAME_OBJECT_IOU
        found.append(abs(float(before.probabilities[index]) - (float(after.probabilities[partner]) if is_same else 0)))
    return found


def measure(context: Context) -> None:
    """All ratios and ways, on the dataset that the options name."""
    photos = load_dataset(context.options.dataset).photos[: context.options.photos]
    detector = _detector(models.model(models.EMBEDDED, context.folder))
    rows = []
    for ratio in RATIOS:
        context.tell(f"{ratio:g} edges kept")
        found: dict[str, list[PhotoResult]] = {way: [] for way in WAYS}
        for photo in photos:
            data = enlarged(photo.path.read_bytes(), round(2 * ratio * detector.network.edge))
            for way, decode in WAYS.items():
                found[way].append(_detect(detector, photo, decode(data)))
        rows += _rows(context, ratio, found, detector.network.classes)
    detector.close()
    context.report.tables.append(
        Table(
            "Detections after decoding at 1/2, and after saving again, against decoding in full",
            ["edges kept", "", "AP", "AP@.5", "mean", "99 %", "max", "99 % > 0.5", "max > 0.5"],
            rows,
        )
    )


def _detector(model: Model) -> Detector:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
    os.environ.update(model.environment)
    django.setup()
    from detection.serving import service as serving

    return load_detector(serving.detector_options(current.config()))


def _detect(detector: Detector, photo: AnnotatedPhoto, data: bytes) -> PhotoResult:
    """What is found, in pixels of the photo as it was annotated."""
    prediction = detector.detect(data, min_probability=MIN_PROBABILITY)
    with Image.open(photo.path) as image:
        info = replace(prediction.info, size_wh=image.size)
    return photo_result(photo, replace(prediction, info=info), detector.network.classes)


def _rows(
    context: Context, ratio: float, found: Mapping[str, list[PhotoResult]], classes: tuple[str, ...]
) -> list[list[str]]:
    rows = []
    for way, results in found.items():
        scores = score(results, classes, _REPORTED)
        numbers = [scores.coco_ap or 0.0, scores.coco_ap50 or 0.0]
        if way != IN_FULL:
            shown, reported = (changes(found[IN_FULL], results, least) for least in (_SHOWN, _REPORTED))
            numbers += [float(np.mean(shown)), *_upper(shown), *_upper(reported)]
        context.report.results[f"{ratio:g} {way}"] = numbers
        rows.append([f"{ratio:g}", way, *(f"{each:.3f}" for each in numbers), *[""] * (7 - len(numbers))])
    return rows


def _upper(values: list[float]) -> list[float]:
    return [float(np.percentile(values, 99)), max(values)]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", type=Path, default=ANNOTATED, help="a folder that `manage.py evaluate` takes")
    parser.add_argument("--photos", type=int, help="use the first N photos")


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("scaled_decoding", __doc__ or "", measure, rounds=1, add_options=_add_options, arguments=arguments)


if __name__ == "__main__":
    main()
