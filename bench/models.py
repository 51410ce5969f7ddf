"""Checkpoints to measure: the MobileNet-SSD, and ResNet-50's network with seeded random weights.

"embedded" is the MobileNet-SSD, whichever model is the default: so figures of different years can be compared.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.checkpoints import (
    EMBEDDED_EDGE,
    EMBEDDED_PREFIX,
    NO_RESNET50,
    REPOSITORY,
    RESNET50_EDGE,
    RESNET50_SYMBOL,
    write_random_resnet50_ssd,
)

EMBEDDED = "embedded"
RESNET50 = "resnet50"
NAMES = (EMBEDDED, RESNET50)


class ModelMissingError(RuntimeError):
    """A checkpoint is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Model:
    """Checkpoint of epoch 0 and the edge of its input in pixels."""

    name: str
    prefix: Path
    edge: int

    @property
    def environment(self) -> dict[str, str]:
        """Return the service's settings for this model."""
        return {"MODEL_PREFIX": str(self.prefix), "MODEL_EPOCH": "0", "MODEL_EDGE": str(self.edge)}

    @property
    def arguments(self) -> list[str]:
        """Return the arguments of the bench's own programs for this model."""
        return [f"--prefix={self.prefix}", f"--edge={self.edge}"]


def model(name: str, folder: Path) -> Model:
    """Return a model by its name; random weights are written to `folder`. Raises ModelMissingError."""
    if name == EMBEDDED:
        return Model(name, EMBEDDED_PREFIX, EMBEDDED_EDGE)
    if not RESNET50_SYMBOL.is_file():
        raise ModelMissingError(f"The measurement of {name} {NO_RESNET50}.")
    prefix = folder / "random" / "resnet50_ssd_model"
    if not prefix.with_name(f"{prefix.name}-symbol.json").is_file():
        write_random_resnet50_ssd(prefix.parent)
    return Model(name, prefix, RESNET50_EDGE)


def quantize(model: Model, photos: Sequence[Path], folder: Path) -> None:
    """Make the int8 model of a checkpoint that comes without one. Raises CalledProcessError.

    It is calibrated on the photos that the bench sends: sufficient for its speed, and random weights detect nothing
    anyway.
    """
    if model.prefix.with_name(f"{model.prefix.name}-0000-int8.onnx").is_file():
        return
    environment = {**os.environ, **model.environment, "DATA_DIR": str(folder / "quantize")}
    command = [sys.executable, "manage.py", "quantize", *map(str, photos)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, check=True)
