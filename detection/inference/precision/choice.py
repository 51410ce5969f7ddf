"""Chooses the precision of the arithmetic: the requested one, or the fastest that a measurement allows.

`precision.json` beside a checkpoint is the table of such measurements, written by `manage.py evaluate --write-table`.
MODEL_PRECISION=auto, the default, uses only it: a precision that was not measured with this checkpoint on this engine
is never chosen.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from detection.inference.engines.base import EngineOptions
from detection.inference.engines.devices import CPU
from detection.inference.engines.registry import choose_engine, offered_precisions
from detection.inference.errors import CheckpointError
from detection.inference.files import replace_file
from detection.inference.network import Network
from detection.inference.precision.int8_files import quantized_network, quantized_paths
from detection.inference.text_files import read_json
from detection.program import PROGRAM

TABLE_NAME = "precision.json"
BASELINE = "f32"
INT8 = "int8"
# 0.5 points of COCO's AP@[.5:.95]. The sums of doubles that make an AP are not exact to the last digit.
MAX_LOSS_AP = 0.005 + 1e-9
_NO_INT8 = "It has no int8 model that can be used, which MODEL_PRECISION names."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Accuracy of one precision: COCO AP@[.5:.95] and AP at IoU 0.5, in [0, 1], of the model with this hash."""

    model_sha256: str
    coco_ap: float
    coco_ap50: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMeasurements:
    """Measurements of one engine in several precisions, on the same photos."""

    dataset: str
    photos: int
    objects: int
    precisions: Mapping[str, Measurement]


def table_path(network: Network) -> Path:
    """Return the path of a checkpoint's table."""
    return network.prefix.with_name(TABLE_NAME)


def read_table(network: Network) -> dict[str, EngineMeasurements]:
    """Return the measurements of this checkpoint (not quantized) at this edge, by engine; empty without a table.

    Raises CheckpointError when the file cannot be parsed.
    """
    path = table_path(network)
    try:
        table = read_json(path)
        if (table["checkpoint_sha256"], table["edge"]) != (network.made_of_sha256, network.edge):
            return {}
        return {engine: _engine_measurements(values) for engine, values in table["engines"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} cannot be understood. Delete it, or write it anew: "
            f"`{PROGRAM} evaluate DATASET --compare f32,bf16,int8 --write-table`."
        ) from error


def files_beside(network: Network) -> list[Path]:
    """Return the files to copy along with a model: its table of precisions, and its int8 model with the description.

    network: not quantized. Files of another model and damaged ones are left out.
    """
    found: list[Path] = []
    try:
        if read_table(network):
            found.append(table_path(network))
    except CheckpointError as error:
        logger.warning("%s", error)
    int8_files = quantized_paths(network.prefix, network.epoch)
    if any(path.exists() for path in int8_files) and _model_for(INT8, network) is not None:
        found.extend(int8_files)
    return found


def write_table(network: Network, engine: str, measured: EngineMeasurements) -> Path:
    """Add the measurements of an engine to the table of a checkpoint.

    Returns the table's path. Raises CheckpointError when it cannot be written.
    """
    table = read_table(network) | {engine: measured}
    path = table_path(network)
    document = {
        "checkpoint_sha256": network.made_of_sha256,
        "edge": network.edge,
        "engines": {name: asdict(values) for name, values in sorted(table.items())},
    }
    try:
        replace_file(path, (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror}). Make the folder writable.") from error
    return path


def settle_precision(network: Network, options: EngineOptions) -> tuple[Network, EngineOptions]:
    """Return the network to run, and the options with its precision.

    network: as `prepare_network` made it. Logs why. Raises CheckpointError when int8 is requested, its model cannot be
    used and a fallback is not allowed, EngineError when no engine is installed.
    """
    if options.precision == "auto":
        network, precision, reason = _fastest_allowed(network, options)
        logger.info("Model %s: precision %s. %s", network.name, precision, reason)
        return network, replace(options, precision=precision, precision_reason=reason)
    options = replace(options, precision_reason="MODEL_PRECISION names it.")
    if options.precision != INT8:
        return network, options
    try:
        return quantized_network(network), options
    except CheckpointError as error:
        if not options.may_fall_back:
            raise
        logger.warning("The model %s runs in %s. %s", network.name, BASELINE, error)
        return network, replace(options, precision=BASELINE, precision_reason=_NO_INT8)


def _fastest_allowed(network: Network, options: EngineOptions) -> tuple[Network, str, str]:
    """Return network and precision, and why, as a sentence for callers."""
    engine, _ = choose_engine(options)
    if options.device != CPU:
        offered = offered_precisions(replace(options, engine=engine))
        if BASELINE not in offered:
            return network, offered[-1], "The device computes in nothing wider."
    try:
        measured = read_table(network).get(engine)
    except CheckpointError as error:
        logger.error("%s", error)
        return network, BASELINE, f"{TABLE_NAME} of the model cannot be read."
    if measured is None or BASELINE not in measured.precisions:
        return network, BASELINE, f"No comparison of precisions with this model on {engine} is at hand."
    passed_over: list[str] = []
    for precision in offered_precisions(replace(options, engine=engine)):
        candidate = _model_for(precision, network)
        objection = _objection(precision, candidate, measured)
        if candidate is not None and objection is None:
            return candidate, precision, " ".join([_praise(precision, measured), *passed_over])
        passed_over.append(f"Not {precision}: {objection}.")
    return network, BASELINE, " ".join(passed_over)


def _praise(precision: str, measured: EngineMeasurements) -> str:
    if precision == BASELINE:
        return "No faster one is offered here that may be taken."
    lost = (measured.precisions[BASELINE].coco_ap - measured.precisions[precision].coco_ap) * 100
    return (
        f"It is the fastest here that lost at most {MAX_LOSS_AP * 100:.1f} points of AP against {BASELINE}: "
        f"{'lost' if lost > 0 else 'gained'} {abs(lost):.2f} on {measured.photos} photos."
    )


def _model_for(precision: str, network: Network) -> Network | None:
    if precision != INT8:
        return network
    try:
        return quantized_network(network)
    except CheckpointError as error:
        # `precision_reason` says so; a default that works is no news.
        logger.debug("%s", error)
        return None


def _objection(precision: str, candidate: Network | None, measured: EngineMeasurements) -> str | None:
    """Return why `auto` may not take a precision; None when it may."""
    found = measured.precisions.get(precision)
    if candidate is None:
        return "there is no such model"
    if found is None or found.model_sha256 != candidate.made_of_sha256:
        return "this model was not measured in it"
    loss = measured.precisions[BASELINE].coco_ap - found.coco_ap
    # Written so that a loss of NaN is too much.
    return None if loss <= MAX_LOSS_AP else f"it loses {loss * 100:.2f} points of AP"


def _engine_measurements(values: Mapping[str, Any]) -> EngineMeasurements:
    precisions = {
        name: Measurement(
            model_sha256=str(row["model_sha256"]), coco_ap=float(row["coco_ap"]), coco_ap50=float(row["coco_ap50"])
        )
        for name, row in values["precisions"].items()
    }
    return EngineMeasurements(
        dataset=str(values["dataset"]),
        photos=int(values["photos"]),
        objects=int(values["objects"]),
        precisions=precisions,
    )
