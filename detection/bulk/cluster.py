"""Detectors on the nodes of a Ray cluster: names go out, lines come back; nodes may come and go.

An actor holds the model on each node (one a GPU where the engine uses them), with all of the node's cores. It reads
photos itself, so that their bytes do not pass through the coordinator. Imported by the actors too, without Django.
"""

import logging
import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detection.bulk.files import BadPhotoError, PhotoFile
from detection.bulk.pipeline import in_order
from detection.inference.batch_detector import BatchDetector
from detection.inference.detector import DetectorOptions
from detection.inference.errors import EngineError
from detection.inference.types import Thresholds
from detection.inference.videos.names import time_of

logger = logging.getLogger(__name__)

CHUNK = 16
_ROOT = Path(__file__).resolve().parents[2]
LOCAL = "local"
_READ_AHEAD = 8
_LOOK_EVERY_S = 2.0
_MOST_CHUNKS_AN_ACTOR = 16
# Threads of the coordinator, of which one waits for each chunk that an actor has.
_MOST_CHUNKS = 1024
Line = dict[str, Any]


class Worker:
    """Worker on a node: a detector, and threads that read photos for it."""

    def __init__(self, detector: BatchDetector) -> None:
        self._detector = detector
        self.sha256 = detector.detector.network.sha256
        self._photos_at_once = detector.detector.workers + _READ_AHEAD
        self._readers = ThreadPoolExecutor(self._photos_at_once)

    def chunks_at_once(self) -> int:
        """Return the number of chunks that keep all cores busy while one is on its way back."""
        return min(math.ceil(self._photos_at_once / CHUNK) + 1, _MOST_CHUNKS_AN_ACTOR)

    def lines(self, photos: Sequence[PhotoFile]) -> list[Line]:
        """Return the lines of these photos. Raises OSError where they cannot be read any further, EngineError."""
        return list(self._readers.map(self._line, photos))

    def _line(self, photo: PhotoFile) -> Line:
        try:
            data = photo.read()
        except BadPhotoError as error:
            return {"file": photo.name, "error": str(error)}
        (answer,) = self._detector.answers([data])
        time_s = time_of(photo.name)
        timed = {} if time_s is None or "error" in answer else {"time_s": time_s}
        return {"file": photo.name, **timed, **answer}


@dataclass(frozen=True, slots=True)
class Spread:
    """Recipe of an actor: the detector's options, as on one machine, and the hash that the model must have."""

    options: DetectorOptions
    threshold: float | Thresholds
    tiles: str
    sha256: str

    def worker(self, threads: int) -> Worker:
        """Make the worker of an actor that has so many cores. Raises EngineError where the node has another model."""
        engine = self.options.engine
        options = replace(self.options, engine=replace(engine, threads=engine.threads or threads))
        made = Worker(BatchDetector(options, self.threshold, self.tiles))
        if made.sha256 != self.sha256:
            raise EngineError(
                f"A node has another model at {self.options.source.location}: {made.sha256} in place of {self.sha256}. "
                "Give all nodes the same image, or a shared folder."
            )
        return made


class Cluster:
    """Actors on all nodes of a cluster, and the chunks that they have in hand.

    make_worker: makes the worker of an actor from its number of cores. uses_gpus: an actor a GPU, where there are any.
    """

    def __init__(self, address: str, make_worker: Callable[[int], Any], *, uses_gpus: bool = False) -> None:
        import ray

        self._ray, self._make_worker, self._uses_gpus = ray, make_worker, uses_gpus
        ray.init(
            address=None if address == LOCAL else address,
            namespace="detector",
            log_to_driver=False,
            include_dashboard=False if address == LOCAL else None,
            configure_logging=False,
            # Nodes have this code at the same place: that of the image.
            runtime_env={"env_vars": {"PYTHONPATH": str(_ROOT)}},
        )
        self._free: queue.Queue[Any] = queue.Queue()
        self._by_node: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._follower = threading.Thread(target=self._follow_nodes, daemon=True)
        self._follower.start()

    def answers(self, chunks: Iterator[list[PhotoFile]]) -> Iterator[tuple[list[PhotoFile], list[Line]]]:
        """Yield the chunks with their lines, in their order. A chunk is read when the one before has its actor.

        Waits while there is no actor. Raises what a worker raises.
        """
        return in_order(((self._place(), chunk) for chunk in chunks), self._answer, _MOST_CHUNKS)

    def close(self) -> None:
        """Let the cluster go: its actors end."""
        self._closed.set()
        self._follower.join()
        self._ray.shutdown()

    def _place(self) -> Any:
        """Wait until an actor has room for a chunk; return it, or the error of a node that cannot load the model."""
        return self._free.get()

    def _answer(self, placed: tuple[Any, list[PhotoFile]]) -> tuple[list[PhotoFile], list[Line]]:
        """Return a chunk with its lines, from its actor; from another one where that is lost."""
        actor, photos = placed
        while not isinstance(actor, Exception):
            try:
                lines: list[Line] = self._ray.get(actor.lines.remote(photos))
            except self._ray.exceptions.RayActorError:
                self._lose(actor)
                actor = self._place()
                continue
            except BaseException:
                # The other chunks still have to come to their ends.
                self._free.put(actor)
                raise
            self._free.put(actor)
            return photos, lines
        self._free.put(actor)
        raise actor

    def _follow_nodes(self) -> None:
        while not self._closed.is_set():
            for node in self._ray.nodes():
                cores = int(node["Resources"].get("CPU", 0))
                if node["Alive"] and cores:
                    self._fill(node["NodeID"], cores, int(node["Resources"].get("GPU", 0)) if self._uses_gpus else 0)
            self._closed.wait(_LOOK_EVERY_S)

    def _fill(self, node: str, cores: int, gpus: int) -> None:
        """Start the actors that a node lacks."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        wanted = max(gpus, 1)
        with self._lock:
            actors = self._by_node.setdefault(node, [])
            missing = wanted - len(actors)
            for _ in range(missing):
                threads = max(cores // wanted, 1)
                made = self._ray.remote(_Actor).options(
                    num_cpus=threads,
                    num_gpus=1 if gpus else 0,
                    max_concurrency=_MOST_CHUNKS_AN_ACTOR,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
                )
                actor = made.remote(self._make_worker, threads)
                actors.append(actor)
                threading.Thread(target=self._greet, args=(actor,), daemon=True).start()

    def _greet(self, actor: Any) -> None:
        """Wait until an actor has its model, then let it take chunks."""
        try:
            places = self._ray.get(actor.chunks_at_once.remote())
        except self._ray.exceptions.ActorDiedError as error:
            # Its constructor raised, where nodes differ or have no model; or its node is gone.
            if cause := getattr(error, "cause", None) or _cause(error):
                self._free.put(EngineError(f"A node cannot load the model: {cause}"))
            self._lose(actor)
        except self._ray.exceptions.RayError:
            self._lose(actor)
        else:
            for _ in range(places):
                self._free.put(actor)

    def _lose(self, actor: Any) -> None:
        with self._lock:
            for actors in self._by_node.values():
                with suppress(ValueError):
                    actors.remove(actor)
                    logger.warning("A detector of the cluster is lost. Its photos go to the others.")


def _cause(error: Exception) -> str:
    text = str(error)
    return text.strip().splitlines()[-1] if "creation task" in text else ""


class _Actor:
    """Actor that Ray starts on a node."""

    def __init__(self, make_worker: Callable[[int], Any], threads: int) -> None:
        self._worker = make_worker(threads)

    def chunks_at_once(self) -> Any:
        return self._worker.chunks_at_once()

    def lines(self, photos: Sequence[PhotoFile]) -> Any:
        return self._worker.lines(photos)
