"""Compares a model card with its likely alternatives on annotated photos."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detection.evaluation.annotations import AnnotatedPhoto, DatasetError
from detection.evaluation.card_variants import AnswerVariant, boxes, classes, colours, fits, scales
from detection.evaluation.class_names import class_ids
from detection.evaluation.results import PhotoResult
from detection.evaluation.voc_metrics import all_point_ap, curve
from detection.inference.cards.card import InputSpec, ModelCard
from detection.inference.engines.base import EngineOptions, Outputs
from detection.inference.engines.registry import create_engine
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.families.base import Family
from detection.inference.families.columns import read_columns
from detection.inference.families.declaration import Declaration, layout_of
from detection.inference.families.declared import decode_as
from detection.inference.families.registry import FAMILIES
from detection.inference.model_files import ModelSource, open_card
from detection.inference.network import Network
from detection.inference.photos.decode import DecodedPhoto, decode_photo
from detection.inference.photos.preprocess import Placement, fit_photo
from detection.inference.types import Detections

PHOTOS = 20
_MIN_PROBABILITY, _MAX_OBJECTS = 0.05, 100
_MAX_PIXELS, _MARGIN = 60_000_000, 2
# Less is chance, with so few photos; of more than CLEARLY a card that is wrong is the likelier reason.
_BETTER, CLEARLY = 0.01, 0.03
_NAMED = 5
# Checkpoints that fit and normalise photos themselves.
_OWN_INPUT = ("mxnet_ssd",)
OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """Average precision at IoU 0.5, mean over the classes that occur, with one key of the card changed."""

    key: str
    value: str
    ap50: float


@dataclass(frozen=True, slots=True)
class CardCheck:
    """Average precision of a card and of its alternatives.

    photos: how many were looked at. ap50: of the card; best_ap50: with all `changes`, which are empty where none of
    the alternatives is better.
    """

    photos: int
    ap50: float
    tried: tuple[Tried, ...]
    changes: tuple[str, ...]
    best_ap50: float

    @property
    def is_wrong(self) -> bool:
        """Return whether the alternatives are clearly better than the card."""
        return self.best_ap50 - self.ap50 > CLEARLY


@dataclass(frozen=True, slots=True, eq=False)
class _Photo:
    """Decoded photo with its annotations."""

    annotated: AnnotatedPhoto
    decoded: DecodedPhoto


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """A network's answers to all photos with one input."""

    network: Network
    family: Family
    outputs: tuple[Outputs, ...]
    placements: tuple[Placement, ...]
    photos: tuple[_Photo, ...]

    def own_reading(self) -> AnswerVariant:
        """Return how the card reads the answers."""
        declared = self.family.declared
        return AnswerVariant("", "", None if declared is None else declared(self.outputs[0], self.network))

    def ap50s(self, readings: Sequence[AnswerVariant]) -> list[float]:
        """Return the average precision of each reading."""
        declarations = {reading.declaration for reading in readings}
        found = {each: [self._found(outputs, each) for outputs in self.outputs] for each in declarations}
        return [
            self._ap50([_moved(each, reading.shift) for each in found[reading.declaration]]) for reading in readings
        ]

    def _ap50(self, found: Sequence[Detections]) -> float:
        results = [
            _result(photo, placement.to_photo(each), self.network.classes)
            for photo, placement, each in zip(self.photos, self.placements, found, strict=True)
        ]
        occurring = {int(each) for result in results for each in result.true_classes[~result.uncounted]}
        return float(np.mean([all_point_ap(curve(results, class_id)) for class_id in occurring]))

    def _found(self, outputs: Outputs, declaration: Declaration | None) -> Detections:
        if declaration is None:
            found = self.family.decode(outputs, self.network, _MIN_PROBABILITY)
        else:
            found = decode_as(declaration, outputs, self.network, _MIN_PROBABILITY)
        return found.first(_MAX_OBJECTS)


def _moved(found: Detections, shift: int) -> Detections:
    """Return objects with their classes one further; results of a class that is not there count for nothing."""
    return Detections(found.boxes_xyxy_unit, found.scores, found.class_ids + shift) if shift else found


def check_card(
    card: ModelCard, annotated: Sequence[AnnotatedPhoto], engine: EngineOptions, on_step: OnStep = lambda _: None
) -> CardCheck:
    """Run a card, whose files were verified, and its alternatives on the first PHOTOS photos with objects it may find.

    One key after the other is changed: the range of the numbers, the order of the colours, how a photo fills the input,
    and with each of them how the answers are read. on_step: is told what is tried. Raises DatasetError, CheckpointError
    and EngineError.
    """
    photos = tuple(_decoded(_chosen(card, annotated), card))
    with tempfile.TemporaryDirectory(prefix="card-check-") as folder:
        return _search(card, photos, engine, Path(folder), on_step)


def _search(
    card: ModelCard, photos: tuple[_Photo, ...], engine: EngineOptions, folder: Path, on_step: OnStep
) -> CardCheck:
    """Change one key after the other, and keep what is better."""
    on_step("as it is")
    best_input, best = card.input, _answers(card, card.input, photos, engine, folder)
    best.family.check(best.outputs[0], best.network)
    (own_ap50,) = best.ap50s([best.own_reading()])
    best_ap50, reading = _best_reading(best)
    changes, tried = dict[str, str](), list[Tried]()
    for axis in () if card.family in _OWN_INPUT else (scales, colours, fits):
        for variant in axis(best_input):
            on_step(variant.value)
            other = _answers(card, variant.input, photos, engine, folder)
            ap50, its_reading = _best_reading(other)
            tried.append(Tried(variant.key, variant.value, ap50))
            if ap50 > best_ap50 + _BETTER:
                best_input, best, best_ap50, reading = variant.input, other, ap50, its_reading
                changes[variant.key] = variant.value
    readings = list(_readings(best))
    tried += [Tried(each.key, each.value, ap50) for each, ap50 in zip(readings, best.ap50s(readings), strict=True)]
    if reading.value:
        changes["answers"] = reading.value
    return CardCheck(len(photos), own_ap50, tuple(tried), tuple(changes.values()), best_ap50)


def _best_reading(answers: _Answers) -> tuple[float, AnswerVariant]:
    """Return the best reading of the answers with its precision; the card's own where no other is better."""
    own = answers.own_reading()
    pairs = [
        replace(second, value=f"{first.value}, {second.value}")
        for first in boxes(own)
        for second in classes(first, *_counts(answers))
    ]
    readings = [own, *_readings(answers), *pairs]
    scored = list(zip(answers.ap50s(readings), readings, strict=True))
    best = max(scored, key=lambda pair: pair[0])
    return best if best[0] > scored[0][0] + _BETTER else scored[0]


def _readings(answers: _Answers) -> Iterator[AnswerVariant]:
    """Yield the readings that differ from the card's in one key."""
    own = answers.own_reading()
    yield from boxes(own)
    yield from classes(own, *_counts(answers))


def _counts(answers: _Answers) -> tuple[int, int]:
    """Return the numbers of classes and of columns of scores."""
    declaration = answers.own_reading().declaration
    count = len(answers.network.classes)
    if declaration is None:
        return count, count
    layout = layout_of(declaration)
    return count, read_columns(answers.outputs[0], layout.scores, layout.turned).shape[1]


def _answers(
    card: ModelCard, spec: InputSpec, photos: tuple[_Photo, ...], engine: EngineOptions, folder: Path
) -> _Answers:
    """Run a network with another input on all photos."""
    digest = hashlib.sha256(f"{card.sha256} {spec}".encode()).hexdigest()
    network = open_card(replace(card, input=spec, sha256=digest), ModelSource(card.folder), folder)
    fitted = [fit_photo(photo.decoded.image_rgb, network) for photo in photos]
    with closing(create_engine(network, engine)) as running:
        outputs = [
            {name: array[0] for name, array in running.infer(image_rgb[None]).items()} for image_rgb, _ in fitted
        ]
    return _Answers(network, FAMILIES[network.family], tuple(outputs), tuple(place for _, place in fitted), photos)


def _chosen(card: ModelCard, annotated: Iterable[AnnotatedPhoto]) -> list[AnnotatedPhoto]:
    known = class_ids(card.classes)
    chosen = [photo for photo in annotated if any(each.class_name in known for each in photo.objects)]
    if not chosen:
        raise DatasetError(
            f"No photo has an object of a class of {card.name}: {', '.join(card.classes[:_NAMED])}, and so on. Give "
            "photos whose annotations have the names of its classes."
        )
    return chosen[:PHOTOS]


def _decoded(annotated: Iterable[AnnotatedPhoto], card: ModelCard) -> Iterator[_Photo]:
    for photo in annotated:
        try:
            least = _MARGIN * max(card.input.size_wh)
            yield _Photo(photo, decode_photo(photo.path.read_bytes(), max_pixels=_MAX_PIXELS, min_edge_px=least))
        except (ImageDecodeError, ImageTooLargeError) as error:
            raise DatasetError(f"{photo.path}: {error}") from error


def _result(photo: _Photo, found: Detections, names: tuple[str, ...]) -> PhotoResult:
    """Combine annotations and objects of one photo; annotated objects of other classes are left out."""
    known, size_wh = class_ids(names), photo.decoded.info.size_wh
    truth = [each for each in photo.annotated.objects if each.class_name in known]
    return PhotoResult(
        size_wh=size_wh,
        true_boxes_xyxy_px=np.array([each.box_xyxy_px for each in truth], np.float64).reshape(-1, 4),
        true_classes=np.array([known[each.class_name] for each in truth], np.int64),
        uncounted=np.array([each.uncounted for each in truth], bool),
        found_boxes_xyxy_px=found.boxes_xyxy_unit.astype(np.float64) * np.array(size_wh * 2),
        found_classes=found.class_ids,
        probabilities=found.scores.astype(np.float64),
    )
