"""The detector: photos in, their objects out. One per process, shared by all callers."""

import logging
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from detection.inference.boxes import to_objects
from detection.inference.engines.base import Engine, EngineOptions, Outputs
from detection.inference.engines.registry import choose_engine, create_engine
from detection.inference.errors import OverloadedError
from detection.inference.families.places import in_a_corner, require_places
from detection.inference.families.registry import FAMILIES
from detection.inference.hardware import usable_cores
from detection.inference.model_files import ModelSource, open_model
from detection.inference.network import Network
from detection.inference.photos.appearance import sampled_rows
from detection.inference.photos.decode import PhotoInfo, decode_photo
from detection.inference.photos.decoding_memory import LARGE_BYTES, decoding_bytes, run_decoding
from detection.inference.photos.preprocess import Placement, fit_photo
from detection.inference.precision.choice import settle_precision
from detection.inference.queues.batching import Batcher
from detection.inference.queues.photo_queue import PhotoQueue, Task, Views
from detection.inference.sanity_checks import check_outputs, decoding_errors_as_checkpoint_errors
from detection.inference.tiles.grid import UNTILED, WHOLE, Tile, Tiling, tiling_of
from detection.inference.tiles.merging import merged
from detection.inference.types import Detections, FoundObject, ImageArray, StageTimings

logger = logging.getLogger(__name__)
R = TypeVar("R")

# Objects are kept from this probability up, so that a threshold can be moved later without running the network again.
KEPT_PROBABILITY = 0.1
MAX_OBJECTS = 300
# A JPEG is decoded at reduced size as long as both edges keep this many times the network's edge.
SCALED_DECODING_MARGIN = 2
# A decoded photo up to this size is kept until its last tile is cut.
_KEPT_PIXELS = 10_000_000


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Options of a detector: the model, the engine and the limits."""

    source: ModelSource
    cache_dir: Path
    engine: EngineOptions
    max_pixels: int = 60_000_000
    accept_incomplete: bool = True
    queue_size: int = 64


@dataclass(frozen=True, slots=True)
class Prediction:
    """Objects found in one photo: those of at least `KEPT_PROBABILITY` (or a lower requested threshold), most probable
    first, `MAX_OBJECTS` at most. tiling: the tiles that were looked at beside the whole photo. sampled_rows: of the
    network's input of the whole photo, for its brightness and sharpness (`photos/appearance.py`).
    """

    objects: tuple[FoundObject, ...]
    info: PhotoInfo
    timings: StageTimings
    tiling: Tiling = UNTILED
    sampled_rows: ImageArray | None = None


class DetectorObserver(Protocol):
    """Observer of a detector, for metrics; called on its threads and its callers', must neither block nor raise."""

    def queued(self, detector: "Detector") -> None: ...

    def refused(self, detector: "Detector") -> None: ...

    def ended(self, detector: "Detector", future: "Future[Any]") -> None: ...

    def ran(self, photos: int) -> None: ...


class _NoObserver:
    """Observer that does nothing."""

    def queued(self, detector: "Detector") -> None:
        """Ignore."""

    refused = queued

    def ended(self, detector: "Detector", future: "Future[Any]") -> None:
        """Ignore."""

    def ran(self, photos: int) -> None:
        """Ignore."""


class Detector:
    """Detector that decodes photos, resizes them, runs the network and decodes boxes, on threads of its own.

    `submit` never blocks: at most `queue_size` photos are queued, and the next one is refused with OverloadedError.
    """

    def __init__(
        self,
        network: Network,
        engine: Engine,
        *,
        max_pixels: int,
        queue_size: int,
        threads: int = 0,
        accept_incomplete: bool = True,
    ) -> None:
        self.network = network
        self.engine = engine
        self._family = FAMILIES[network.family]
        self._max_pixels = max_pixels
        self._accept_incomplete = accept_incomplete
        # Why the engine has its precision, as a sentence; set by `load_detector`.
        self.precision_reason = ""
        # By name, without the batch; set by `warm_up`.
        self.output_shapes: dict[str, tuple[int, ...]] = {}
        self.observer: DetectorObserver = _NoObserver()
        self._batcher = Batcher(engine, self._ran) if engine.lanes else None
        cores = threads or usable_cores()
        # A thread is blocked while its photo is in a batch, so there must be enough threads to fill all batches in
        # flight.
        self._workers = cores + engine.max_batch * engine.lanes
        self._photos = PhotoQueue(
            workers=self._workers, cores=cores, limit=self._workers + queue_size, spare=engine.prefetch
        )

    @property
    def workers(self) -> int:
        """Number of photos that are processed at the same time."""
        return self._workers

    @property
    def in_flight(self) -> int:
        """Number of photos that are queued or being processed."""
        return self._photos.photos

    @property
    def has_a_free_worker(self) -> bool:
        """Return whether it could take another photo at once."""
        return self._photos.runs < self._workers

    def submit(
        self, data: bytes, *, min_probability: float = KEPT_PROBABILITY, caller: str = "", tiles: str = ""
    ) -> "Future[Prediction]":
        """Queue the bytes of a photo. Cancelling the future before its turn frees its place.

        caller: who sent it; callers take turns, and a full queue makes room for one who has fewer photos in it.
        tiles: of `tiles.grid.CHOICES`; "" for that of the model's card.
        Raises OverloadedError and DetectorClosedError at once; the future raises ImageDecodeError, ImageTooLargeError
        or EngineError, and OverloadedError where its photo had to make room.
        """
        least = min(min_probability, KEPT_PROBABILITY)
        clock = _Clock(time.perf_counter())
        choice = tiles or self.network.tiles
        is_tiled = choice != WHOLE
        size = decoding_bytes(data, None if is_tiled else SCALED_DECODING_MARGIN * self.network.edge)

        def decode() -> "_Prepared | _TileViews":
            return self._prepare_tiled(data, choice, least, clock) if is_tiled else self._prepare(data, clock)

        def prepare() -> "_Prepared | _TileViews":
            return run_decoding(size, decode, caller)

        def run(prepared: "_Prepared") -> Prediction:
            return self._detect(prepared, least, clock)

        return self._queue(Task(prepare, run, caller, is_large=size > LARGE_BYTES, is_tiled=is_tiled))

    def submit_input(self, image_rgb: ImageArray, *, caller: str = "") -> "Future[Outputs]":
        """Queue a network input, (height, width, 3) uint8; the future gives the outputs, without a batch axis.

        Raises OverloadedError and DetectorClosedError at once; the future raises EngineError and OverloadedError.
        """
        return self._queue(Task(lambda: image_rgb, self._infer, caller))

    def _queue(self, task: "Task[Any, R]") -> "Future[R]":
        try:
            future = self._photos.submit(task)
        except OverloadedError:
            self.observer.refused(self)
            raise
        future.add_done_callback(self._ended)
        self.observer.queued(self)
        return future

    def detect(self, data: bytes, *, min_probability: float = KEPT_PROBABILITY, tiles: str = "") -> Prediction:
        """Queue a photo and block until its objects are found; raises what `submit` and its future raise."""
        return self.submit(data, min_probability=min_probability, tiles=tiles).result()

    def warm_up(self) -> None:
        """Run the network once, on a picture that contains all values a pixel can have; see `run_sanity_check`."""
        width, height = self.network.size_wh
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        outputs = self._try_input(picture)
        self.output_shapes = {name: array.shape for name, array in outputs.items()}

    def run_sanity_check(self, data: bytes) -> None:
        """Run the network on the bytes of a photo and check that its outputs are plausible.

        Raises the errors of a photo, CheckpointError for outputs of another family or network and for impossible
        objects, EngineError for numbers that are not finite.
        """
        image_rgb = self._prepare(data, _Clock(time.perf_counter())).image_rgb
        self._try_input(image_rgb)
        if self._family.declared is not None:
            outputs = self._try_input(in_a_corner(image_rgb))
            require_places(self._family.declared(outputs, self.network), outputs, self.network)

    def close(self) -> None:
        """Finish the photos that are queued, then free the engine. A second call does nothing."""
        if not self._photos.close():
            return
        if self._batcher is not None:
            self._batcher.close()
        self.engine.close()

    def _ended(self, future: "Future[Any]") -> None:
        self.observer.ended(self, future)

    def _prepare(self, data: bytes, clock: "_Clock") -> "_Prepared":
        """Decode and fit a photo: step 5 of ARCHITECTURE.md."""
        clock.lap("queue")
        photo = decode_photo(
            data,
            max_pixels=self._max_pixels,
            min_edge_px=SCALED_DECODING_MARGIN * self.network.edge,
            accept_incomplete=self._accept_incomplete,
        )
        clock.lap("decode")
        image, placement = fit_photo(photo.image_rgb, self.network)
        clock.lap("resize")
        return _Prepared(image, placement, photo.info)

    def _detect(self, prepared: "_Prepared", min_probability: float, clock: "_Clock") -> Prediction:
        """Run the network and decode its boxes: steps 6 and 7."""
        outputs = self._infer(prepared.image_rgb)
        clock.lap("inference")
        found = self._family.decode(outputs, self.network, min_probability).first(MAX_OBJECTS)
        placed = prepared.placement.to_photo(found)
        objects = to_objects(placed, prepared.info.size_wh, self.network.classes)
        clock.lap("boxes")
        return Prediction(objects, prepared.info, clock.timings, prepared.tiling, sampled_rows(prepared.image_rgb))

    def _prepare_tiled(self, data: bytes, choice: str, least: float, clock: "_Clock") -> "_Prepared | _TileViews":
        """Decode a photo once, as large as its tiles need it.

        The whole and each tile are fitted to the network when their turn comes, so that all cores cut; at once, where
        the decoded photo is large or many photos are in tiles at the same time (those of batches).
        """
        clock.lap("queue")
        input_wh = self.network.size_wh
        photo = decode_photo(
            data,
            max_pixels=self._max_pixels,
            min_size_wh=lambda size_wh: tiling_of(choice, size_wh, input_wh).least_size_wh(input_wh),
            accept_incomplete=self._accept_incomplete,
        )
        clock.lap("decode")
        info, tiling = photo.info, tiling_of(choice, photo.info.size_wh, input_wh)
        if not tiling.grid:
            image, placement = fit_photo(photo.image_rgb, self.network)
            clock.lap("resize")
            return _Prepared(image, placement, info, tiling)
        image_rgb = photo.image_rgb
        rows: list[ImageArray] = []

        def fit(tile: Tile) -> _View:
            view = _View(*fit_photo(image_rgb, self.network, tile), tile)
            if tile is tiles[0]:
                rows.append(sampled_rows(view.image_rgb))
            return view

        tiles: list[Tile] = list(tiling.views(info.size_wh, input_wh))
        later = image_rgb.width * image_rgb.height <= _KEPT_PIXELS and not self.engine.lanes
        fitted = {} if later else {tile: fit(tile) for tile in tiles}
        clock.lap("resize")
        return Views(
            tiles,
            fit if later else fitted.__getitem__,
            lambda view: self._look(view, least),
            lambda found: self._join(found, info, tiling, least, clock, rows=rows[0]),
        )

    def _look(self, view: "_View", min_probability: float) -> Detections:
        """Find the objects of one view, in fractions of the photo."""
        outputs = self._infer(view.image_rgb)
        found = self._family.decode(outputs, self.network, min_probability).first(MAX_OBJECTS)
        return view.tile.to_photo(view.placement.to_photo(found))

    def _join(
        self,
        found: list[Detections],
        info: PhotoInfo,
        tiling: Tiling,
        min_probability: float,
        clock: "_Clock",
        *,
        rows: ImageArray,
    ) -> Prediction:
        """Make one prediction of what all views of a photo show."""
        # From the first cut to the last run, with the turns of others between them.
        clock.lap("inference")
        kept = merged(found, min_probability).first(MAX_OBJECTS)
        objects = to_objects(kept, info.size_wh, self.network.classes)
        clock.lap("boxes")
        return Prediction(objects, info, clock.timings, tiling, rows)

    def _ran(self, photos: int) -> None:
        self.observer.ran(photos)

    def _try_input(self, image_rgb: ImageArray) -> Outputs:
        with decoding_errors_as_checkpoint_errors(self.network):
            outputs = self._infer(image_rgb)
            check_outputs(outputs, self.network, self._family, self.engine)
        return outputs

    def _infer(self, image_rgb: ImageArray) -> Outputs:
        if self._batcher is not None:
            return self._batcher.infer(image_rgb)
        self._ran(1)
        outputs = self.engine.infer(image_rgb[None], photos_in_flight=self._photos.runs)
        return {name: array[0] for name, array in outputs.items()}


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Prepared network input, (height, width, 3) uint8, with the photo's place in it and the photo's header."""

    image_rgb: ImageArray
    placement: Placement
    info: PhotoInfo
    tiling: Tiling = UNTILED


@dataclass(frozen=True, slots=True)
class _View:
    """Network input of a tile, and the tile's place in it."""

    image_rgb: ImageArray
    placement: Placement
    tile: Tile


_TileViews = Views[Tile, _View, Detections]


class _Clock:
    """Stopwatch that adds the time since the last lap to a stage."""

    def __init__(self, started: float) -> None:
        self.timings = StageTimings()
        self._last = started

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings.add(stage, now - self._last)
        self._last = now


def load_detector(options: DetectorOptions) -> Detector:
    """Read, convert (or take from the cache), compile and warm a model.

    Raises CheckpointError, UnsupportedOperatorError or EngineError with a message that says what to do.
    """
    started = time.perf_counter()
    network = open_model(options.source, options.cache_dir)
    network, engine_options = settle_precision(network, options.engine)
    engine = create_engine(network, engine_options)
    detector = Detector(
        network,
        engine,
        max_pixels=options.max_pixels,
        queue_size=options.queue_size,
        threads=options.engine.threads,
        accept_incomplete=options.accept_incomplete,
    )
    detector.precision_reason = engine_options.precision_reason
    detector.warm_up()
    logger.info(
        "Model %s (%d classes, %d x %d pixels) is ready after %.1f s: %s on %s in %s, %s.",
        network.name,
        len(network.classes),
        *network.size_wh,
        time.perf_counter() - started,
        engine.name,
        engine.device,
        engine.precision,
        choose_engine(engine_options)[1],
    )
    return detector
