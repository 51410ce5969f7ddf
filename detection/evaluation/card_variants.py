"""Variants of a model card: what people get wrong about a network's input and about its answers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from detection.inference.cards.card import InputSpec
from detection.inference.class_names import COCO_CATEGORY_IDS
from detection.inference.families.declaration import Declaration
from detection.inference.network import FITS, STRETCH

_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_GREY = 114
_BOXES = ("xyxy", "yxyx", "cxcywh")
_SHIFTS = (-1, 1)


@dataclass(frozen=True, slots=True)
class InputVariant:
    """Another input: what it is, and the keys of `[input]` that say so."""

    key: str
    value: str
    input: InputSpec


@dataclass(frozen=True, slots=True)
class AnswerVariant:
    """Another reading of the answers: what it is, the declaration (None: the family's own), classes further."""

    key: str
    value: str
    declaration: Declaration | None
    shift: int = 0


def scales(spec: InputSpec) -> Iterator[InputVariant]:
    """Yield inputs with other ranges of numbers."""
    if spec.dtype == "uint8":
        return
    mean, std = _IMAGENET if spec.colour == "rgb" else (_IMAGENET[0][::-1], _IMAGENET[1][::-1])
    known: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
        "0 to 255": ((0, 0, 0), (1, 1, 1)),
        "0 to 1": ((0, 0, 0), (255, 255, 255)),
        "-1 to 1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        "ImageNet's": (mean, std),
    }
    for name, (means, deviations) in known.items():
        if (means, deviations) != (spec.mean, spec.std):
            keys = f"mean = {list(means)}, std = {list(deviations)}"
            yield InputVariant("scale", f"{name}: {keys}", replace(spec, mean=means, std=deviations))


def colours(spec: InputSpec) -> Iterator[InputVariant]:
    """Yield the input with red and blue exchanged; mean and deviation as they are, and turned with the colours."""
    other = "bgr" if spec.colour == "rgb" else "rgb"
    yield InputVariant("colour", f'colour = "{other}"', replace(spec, colour=other))
    turned = replace(spec, colour=other, mean=spec.mean[::-1], std=spec.std[::-1])
    if turned != replace(spec, colour=other):
        keys = f'colour = "{other}", mean = {list(turned.mean)}, std = {list(turned.std)}'
        yield InputVariant("colour", keys, turned)


def fits(spec: InputSpec) -> Iterator[InputVariant]:
    """Yield the other ways in which a photo may fill the input."""
    for fit in FITS:
        if fit != spec.fit:
            pad = 0 if fit == STRETCH else spec.pad or _GREY
            keys = f'fit = "{fit}"' if fit == STRETCH else f'fit = "{fit}", pad = {pad}'
            yield InputVariant("fit", keys, replace(spec, fit=fit, pad=pad))


def boxes(given: AnswerVariant) -> Iterator[AnswerVariant]:
    """Yield readings with the four numbers of a box in another order."""
    declaration = given.declaration
    if declaration is None or declaration.strides:
        return
    for box in _BOXES:
        if box != declaration.box:
            yield replace(given, key="box", value=f'box = "{box}"', declaration=replace(declaration, box=box))


def classes(given: AnswerVariant, count: int, columns: int) -> Iterator[AnswerVariant]:
    """Yield readings with the classes one further, and with COCO's numbers.

    columns: of the scores, or the highest label.
    """
    for shift in _SHIFTS:
        yield replace(given, key="classes", value=_advice(given.declaration, shift), shift=given.shift + shift)
    declaration = given.declaration
    if declaration is None or count != len(COCO_CATEGORY_IDS) or declaration.class_ids == COCO_CATEGORY_IDS:
        return
    if declaration.labels or columns > max(COCO_CATEGORY_IDS):
        with_gaps = replace(declaration, class_ids=COCO_CATEGORY_IDS, first_label=0)
        yield AnswerVariant("classes", "class_ids = COCO's category numbers, with gaps", with_gaps)


def _advice(declaration: Declaration | None, shift: int) -> str:
    """Return which key to change so that class k + `shift` is found where k was."""
    if declaration is not None and declaration.class_ids:
        return f"class_ids {'one less' if shift > 0 else 'one more'} each"
    if declaration is not None and declaration.labels:
        return f"first_label = {declaration.first_label - shift}"
    return f"the names one {'earlier' if shift > 0 else 'later'}: classes, or background"
