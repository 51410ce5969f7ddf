"""Interface of the engines, and their options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from detection.inference.types import FloatArray, ImageArray

Outputs = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Options of MODEL_ENGINE=remote: address and limits of the model server.

    url: http://, https://, grpc:// or grpcs:// with host and port; model: NAME or NAME/VERSION there, "" for the
    network's own name; timeout_s: for one answer, with all its retries; connections: concurrent requests;
    batch: the most photos in one request, where the model there leaves the batch free; check_s: interval of the
    readiness check.
    """

    url: str = ""
    model: str = ""
    timeout_s: float = 10.0
    connections: int = 4
    batch: int = 8
    check_s: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of an engine, as the operator chose them.

    engine: "auto" or a registered name; precision: "f32", "bf16", "f16", "int8" (with a quantized network), or "auto"
    (settled in `precision/choice.py`; an engine by itself takes f32); precision_reason: why, as a sentence, once
    it is settled; device: MODEL_DEVICE's value, for an engine one device (`devices.py`); threads: 0 for all cores that
    the process may use; cache_dir: for compiled models; remote: for the engine of that name; may_fall_back: whether
    f32 replaces a missing int8 model.
    """

    engine: str = "auto"
    precision: str = "f32"
    precision_reason: str = ""
    device: str = "cpu"
    threads: int = 0
    cache_dir: Path | None = None
    remote: RemoteOptions = field(default_factory=RemoteOptions)
    may_fall_back: bool = False


class Engine(Protocol):
    """Interface of an engine, which runs a network. Safe to call from several threads at once.

    name: the registered name; device: "CPU", or the name of the GPU, for people; precision: of the arithmetic;
    max_batch: the most photos that are worth running in one call; lanes: how many such calls are worth having in
    flight at once, each gathering queued photos (0: no batching, callers run side by side); ahead: how many photos
    beyond one a core are worth preparing, so that no thread runs idle.
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
    def prefetch(self) -> int: ...

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        """Run photos: (N, S, S, 3) uint8 RGB in, the network's outputs by name with N first.

        photos_in_flight: number of photos that the process works on now, so that an engine can give all cores to one
        photo, or one core to each. Raises EngineError.
        """
        ...

    def problem(self) -> str:
        """Return why the engine cannot run now, as a sentence; "" when it can. Never blocks."""
        ...

    def close(self) -> None:
        """Free the engine's resources; it is not used afterwards."""
        ...
