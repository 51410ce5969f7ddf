"""Sanity checks of a network's outputs, before it serves."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from detection.inference.engines.base import Engine, Outputs
from detection.inference.errors import CheckpointError, EngineError, InferenceError
from detection.inference.families.base import Family, require_probabilities
from detection.inference.families.declaration_checks import require_plausible
from detection.inference.network import Network
from detection.inference.types import FloatArray

# The outputs are decoded from this probability up.
_LEAST = 0.01
# So many boxes without an area are no accident.
_ENOUGH_BOXES = 5


def check_outputs(outputs: Outputs, network: Network, family: Family, engine: Engine) -> None:
    """Raise CheckpointError for outputs that are not those of the family and network or decode to impossible objects
    (probabilities above 1, unknown classes, boxes outside the photo or without an area), EngineError for numbers that
    are not finite.

    outputs: of one photo, without the batch.
    """
    if not all(np.isfinite(array).all() for array in outputs.values()):
        raise EngineError(
            f"{network.name} answers with numbers that are not finite on {engine.name} in {engine.precision}. "
            f"{_ANOTHER_ENGINE if engine.precision == 'f32' else _ANOTHER_PRECISION}"
        )
    family.check(outputs, network)
    if family.declared is not None:
        require_plausible(family.declared(outputs, network), outputs, network)
    found = family.decode(outputs, network, _LEAST)
    require_probabilities(found.scores, network)
    if len(found) and not 0 <= found.class_ids.min() <= found.class_ids.max() < len(network.classes):
        raise CheckpointError(
            f"{network.name} answers with class {found.class_ids.max()}, and its card has {len(network.classes)} "
            "classes. Correct classes, or family, in its model card."
        )
    if not np.isfinite(found.boxes_xyxy_unit).all():
        raise CheckpointError(
            f"{network.name} answers with boxes that are nowhere. Correct family, or decoding, in its model card."
        )
    if len(found) >= _ENOUGH_BOXES and _are_empty(found.boxes_xyxy_unit):
        raise CheckpointError(
            f"{network.name} answers with {len(found)} boxes, and none of them has a width and a height. Correct "
            "family, or decoding, in its model card."
        )


def _are_empty(boxes_xyxy_unit: FloatArray) -> bool:
    return not ((boxes_xyxy_unit[:, 2:] - boxes_xyxy_unit[:, :2]) > 0).all(axis=1).any()


_ANOTHER_ENGINE = "Choose another MODEL_ENGINE, or export it anew."
_ANOTHER_PRECISION = "Set MODEL_PRECISION=f32 or choose another MODEL_ENGINE."


@contextmanager
def decoding_errors_as_checkpoint_errors(network: Network) -> Iterator[None]:
    """Convert any exception of decoding unchecked outputs to an error about the model."""
    try:
        yield
    except InferenceError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{network.name} cannot be used: what it answers breaks the decoding of the family {network.family} "
            f"({type(error).__name__}: {error}). Correct family, input or decoding in its model card."
        ) from error
