"""Runs detectors over a dataset, photo by photo."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from detection.evaluation.annotations import AnnotatedPhoto, DatasetError
from detection.evaluation.class_names import class_ids
from detection.evaluation.results import PhotoResult
from detection.inference.detector import Detector, Prediction
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.types import StageTimings

# Low enough for the whole of a precision-recall curve; MXNet's own default for keeping an object at all.
MIN_PROBABILITY = 0.01


@dataclass(slots=True)
class Run:
    """Results of one detector on all photos, and the duration of each stage: (N,) milliseconds by stage."""

    results: list[PhotoResult] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, result: PhotoResult, timings: StageTimings) -> None:
        self.results.append(result)
        for stage, milliseconds in timings:
            self.stages_ms.setdefault(stage, []).append(milliseconds)

    def median_ms(self, *stages: str) -> float:
        """Return the median over photos of the sum of these stages."""
        chosen = [self.stages_ms[stage] for stage in stages]
        return float(np.median(np.sum(chosen, axis=0)))


@dataclass(frozen=True, slots=True)
class Contender:
    """A detector, and in how many tiles it looks at photos; "" for as its model's card says."""

    detector: Detector
    tiles: str = ""


def run_all(
    contenders: Mapping[str, Contender], photos: Iterable[AnnotatedPhoto], on_photo: Callable[[], None]
) -> dict[str, Run]:
    """Give each photo to every contender in turn, so that other load on the machine affects all of them alike.

    Raises DatasetError on a photo that cannot be read, and EngineError.
    """
    runs = {name: Run() for name in contenders}
    for photo in photos:
        data = photo.path.read_bytes()
        for name, contender in contenders.items():
            try:
                prediction = contender.detector.detect(data, min_probability=MIN_PROBABILITY, tiles=contender.tiles)
            except (ImageDecodeError, ImageTooLargeError) as error:
                raise DatasetError(f"{photo.path}: {error}") from error
            runs[name].add(photo_result(photo, prediction, contender.detector.network.classes), prediction.timings)
        on_photo()
    return runs


def photo_result(photo: AnnotatedPhoto, prediction: Prediction, classes: tuple[str, ...]) -> PhotoResult:
    """Combine annotations and prediction of one photo; objects of classes that the model lacks are left out."""
    known = class_ids(classes)
    truth = [each for each in photo.objects if each.class_name in known]
    edges_px = np.array([*prediction.info.size_wh, *prediction.info.size_wh], dtype=np.float64)
    found = prediction.objects
    return PhotoResult(
        size_wh=prediction.info.size_wh,
        true_boxes_xyxy_px=np.array([each.box_xyxy_px for each in truth], np.float64).reshape(-1, 4),
        true_classes=np.array([known[each.class_name] for each in truth], np.int64),
        uncounted=np.array([each.uncounted for each in truth], bool),
        found_boxes_xyxy_px=np.array([each.box_xyxy_unit for each in found], np.float64).reshape(-1, 4) * edges_px,
        found_classes=np.array([each.class_id for each in found], np.int64),
        probabilities=np.array([each.probability for each in found], np.float64),
    )


def unknown_objects(photos: Iterable[AnnotatedPhoto], classes: tuple[str, ...]) -> Counter[str]:
    """Count the objects, by class, that the model cannot find because it lacks their class."""
    known = class_ids(classes)
    return Counter(each.class_name for photo in photos for each in photo.objects if each.class_name not in known)
