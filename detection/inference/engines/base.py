"""What every engine offers, and what it is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from detection.inference.types import FloatArray, ImageArray

Outputs = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Where the model server of MODEL_ENGINE=remote is, and how it is asked.

    url: http://, https://, grpc:// or grpcs:// with host and port; model: NAME or NAME/VERSION there, "" for the
    network's own name; timeout_s: for one answer, with all its retries; connections: requests on their way at once;
    batch: the most photos in one of them, where the model there leaves the batch free; check_s: how often it is asked
    whether it is ready.
    """

    url: str = ""
    model: str = ""
    timeout_s: float = 10.0
    connections: int = 4
    batch: int = 8
    check_s: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an operator chose.

    engine: "auto" or a registered name; precision: "f32", "bf16", "f16", "int8" (with a quantized network), or "auto"
    (`precision.py` settles it; an engine by itself takes f32); threads: 0 for all cores that the process may use;
    cache_dir: for compiled models; remote: for the engine of that name; may_fall_back: whether f32 takes the place of
    an int8 model that is not there.
    """

    engine: str = "auto"
    precision: str = "f32"
    gpu: bool = False
    threads: int = 0
    cache_dir: Path | None = None
    remote: RemoteOptions = field(default_factory=RemoteOptions)
    may_fall_back: bool = False


class Engine(Protocol):
    """Runs a network. Safe to call from several threads at once.

    name: the registered name; device: "CPU", or the name of the GPU; precision: what the arithmetic runs in;
    max_batch: the most photos that are worth running in one call; lanes: how many such calls it is worth having on
    their way at once, each gathering what waits (0: nothing is gathered, callers run side by side); ahead: how many
    photos beyond one a core it is worth handing over, so that none of its threads ever waits for the next one.
    """

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def max_batch(self) -> int: ...

    @property
    def lanes(self) -> int: ...

    @property
    def ahead(self) -> int: ...

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """Run photos: (N, S, S, 3) uint8 RGB in, the network's outputs by name with N first.

        photos_in_flight: how many photos the process works on now, so that an engine can give all cores to one photo,
        or one core to each. Raises EngineError.
        """
        ...

    def problem(self) -> str:
        """Why it cannot answer now, as a sentence; "" when it can. Never waits."""
        ...

    def close(self) -> None:
        """Free what the engine holds; it is not used afterwards."""
        ...
