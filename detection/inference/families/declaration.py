"""Declaration of a network's outputs: a card says where boxes, scores and labels are, and in which form."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

from detection.inference.families.base import require_share, require_strides
from detection.inference.families.columns import Columns, parse_columns

_BOXES = ("xyxy", "yxyx", "cxcywh", "ltrb")
_UNITS = ("pixel", "fraction", "stride")
_ACTIVATIONS = ("none", "sigmoid", "softmax")
_BACKGROUNDS = ("", "first", "last")
_KEYS = ("boxes", "scores", "labels", "objectness", "count")
_MAX_CLASS_ID = 100_000
Reference = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A card's `[decoding]` of the family `declared`.

    boxes, scores, labels, objectness: an output or its columns, "output0[0:4]"; a list joins levels, row below row.
    scores: a column for each class; the one score of each row where `labels` names its class. objectness: a probability
    that multiplies the scores. count: an output with the number of rows that are in use.
    box: "xyxy" (xmin, ymin, xmax, ymax), "yxyx", "cxcywh" (centre and size), "ltrb" (distances from the cell's point).
    unit: "pixel" of the input, "fraction" of it, or "stride": with "cxcywh" offsets of the centre from the cell and
    logarithms of the size, both in strides; with "ltrb" distances in strides. strides: pixels between cells, level by
    level; offset: of a cell's point from its corner, in strides.
    activation: from what the network answers to probabilities; background: the column of `scores` that stands for
    nothing. first_label: the number of the first class in `labels`. class_ids: the column or label of each class, where
    they are not simply one after the other; others are ignored. multi_label: whether a box may have several classes;
    else it has its most probable one.
    turned: whether the columns are the first axis of an output and not its last; or the names of such outputs.
    nms: a box that a more probable one of its class overlaps by more is suppressed; 0 for networks that answer without
    duplicates. batched: whether the outputs' first axis is the batch. top: objects at most, without suppression.
    """

    boxes: Reference = ""
    scores: Reference = ""
    labels: Reference = ""
    objectness: Reference = ""
    count: str = ""
    box: str = "xyxy"
    unit: str = "pixel"
    strides: tuple[int, ...] = ()
    offset: float = 0.0
    activation: str = "none"
    background: str = ""
    first_label: int = 0
    class_ids: tuple[int, ...] = ()
    multi_label: bool = False
    turned: bool | Reference = False
    nms: float = 0.0
    batched: bool = True
    top: int = 300

    def __post_init__(self) -> None:
        # Not the cached one: what a card says may have no hash.
        _require_apart(_layout(self))
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise ValueError(f"{key} has to be one of {', '.join(filter(None, choices))}")
        if any(type(getattr(self, key)) is not bool for key in ("multi_label", "batched")):
            raise ValueError("multi_label and batched have to be true or false")
        require_class_ids(self.class_ids)
        if type(self.first_label) is not int or not 0 <= self.first_label <= _MAX_CLASS_ID:
            raise ValueError(f"first_label has to be a whole number from 0 to {_MAX_CLASS_ID}")
        if type(self.top) is not int or self.top < 1:
            raise ValueError("top has to be a whole number from 1 up")
        require_share("nms", self.nms)
        require_share("offset", self.offset)
        if self.activation == "softmax" and not self.background:
            raise ValueError('activation = "softmax" needs background = "first" or "last"')
        self._require_cells()
        self._require_labels()

    def _require_cells(self) -> None:
        if self.strides:
            require_strides(self.strides)
        if self.unit == "stride" and self.box not in {"cxcywh", "ltrb"}:
            raise ValueError('unit = "stride" goes with box = "cxcywh" or "ltrb"')
        if self.box == "ltrb" and self.unit == "fraction":
            raise ValueError('box = "ltrb" goes with unit = "pixel" or "stride"')
        if bool(self.strides) is not (self.unit == "stride" or self.box == "ltrb"):
            raise ValueError('strides belong to unit = "stride" and to box = "ltrb", and to nothing else')

    def _require_labels(self) -> None:
        if not self.labels:
            if self.first_label:
                raise ValueError("first_label goes with labels; for columns of scores there are background, class_ids")
            return
        if self.background or self.multi_label or self.activation == "softmax":
            raise ValueError(
                'background, multi_label and activation = "softmax" go with a column of scores for each class, and '
                "labels with one score for each row"
            )
        if self.first_label and self.class_ids:
            raise ValueError("first_label and class_ids say the same: keep one of them")


_CHOICES = {"box": _BOXES, "unit": _UNITS, "activation": _ACTIVATIONS, "background": _BACKGROUNDS}


@dataclass(frozen=True, slots=True)
class Layout:
    """The references of a declaration, read. labels, objectness, count are empty where there are none."""

    boxes: tuple[Columns, ...]
    scores: tuple[Columns, ...]
    labels: tuple[Columns, ...]
    objectness: tuple[Columns, ...]
    count: tuple[Columns, ...]
    turned: frozenset[str]

    @property
    def by_key(self) -> dict[str, tuple[Columns, ...]]:
        """The references by the card's key, without those that are not given."""
        return {key: getattr(self, key) for key in _KEYS if getattr(self, key)}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all outputs in use, each once."""
        return tuple(dict.fromkeys(each.output for wanted in self.by_key.values() for each in wanted))


@cache
def layout_of(declaration: Declaration) -> Layout:
    """Return the references of a declaration."""
    return _layout(declaration)


def _layout(declaration: Declaration) -> Layout:
    given = {key: getattr(declaration, key) for key in _KEYS}
    if not given["boxes"] or not given["scores"]:
        raise ValueError('boxes and scores have to name an output, or columns of it: boxes = "output0[0:4]"')
    references = {key: parse_columns(key, value) if value else () for key, value in given.items()}
    names = frozenset(each.output for wanted in references.values() for each in wanted)
    return Layout(**references, turned=_turned(declaration.turned, names))


def _require_apart(layout: Layout) -> None:
    """Raise ValueError when two keys name the same column."""
    for (one, wanted), (other, others) in combinations(layout.by_key.items(), 2):
        if any(each.overlaps(another) for each in wanted for another in others):
            raise ValueError(f"{one} and {other} name the same column of {wanted[0].output}")


def _turned(given: object, names: frozenset[str]) -> frozenset[str]:
    if isinstance(given, bool):
        return names if given else frozenset()
    listed = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(each, str) and each in names for each in listed):
        raise ValueError("turned has to be true, false, or names of outputs that are in use")
    return frozenset(map(str, listed))


def require_class_ids(given: object) -> None:
    """Raise ValueError unless these are different whole numbers."""
    if not (
        isinstance(given, tuple)
        and all(type(each) is int and 0 <= each <= _MAX_CLASS_ID for each in given)
        and len(set(given)) == len(given)
    ):
        raise ValueError("class_ids has to be a list of different whole numbers from 0 up")
