"""Thread on which models are loaded and freed, with a deadline: what hangs there is left behind, and others go on."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from detection.conf.current import config
from detection.inference.detector import Detector
from detection.serving import malloc
from detection.serving.trial import TrialError

logger = logging.getLogger(__name__)

T = TypeVar("T")


def free(detector: Detector) -> None:
    """Close a detector, free it, and return its memory to the system; on the thread of models."""
    detector.close()
    malloc.trim()


@dataclass(slots=True)
class _Task(Generic[T]):
    """A function to run, and who waits for it: nobody when it `is_left`."""

    function: Callable[[], T]
    started: threading.Event = field(default_factory=threading.Event)
    future: "Future[T]" = field(default_factory=Future)
    is_left: bool = False


class ModelThread:
    """Thread that loads and frees every model, one at a time.

    Compiling takes all cores and much memory: two at once would take as long and twice the memory. A task that does not
    end within its deadline keeps its thread, which cannot be ended, and a new one takes over. Threads are daemons, so
    that one left behind does not keep the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: SimpleQueue[_Task[Any]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[[], T]) -> T:
        """Run a function on the thread, block, and return its result or raise its error.

        Raises TrialError when it takes longer than MODEL_LOAD_TIMEOUT from its start; a detector that it returns later
        is freed.
        """
        timeout_s = config().model_load_timeout_s
        task = _Task(function)
        with self._lock:
            if self._thread is None:
                self._take_over()
            self._tasks.put(task)
        task.started.wait()
        try:
            return task.future.result(timeout_s)
        except TimeoutError:
            if not self._leave_behind(task):
                return task.future.result()
        raise TrialError(
            f"The model did not load, or end, within {timeout_s:g} seconds in this process, and its thread was left "
            "behind; start the server again to get its memory back. If it only takes longer here, set "
            "MODEL_LOAD_TIMEOUT to more."
        )

    def free(self, detector: Detector) -> None:
        """Free a detector after its queued photos; log it where that does not end."""
        try:
            self.run(lambda: free(detector))
        except TrialError as error:
            logger.error("%s could not be freed. %s", detector.network.full_name, error)

    def _leave_behind(self, task: _Task[Any]) -> bool:
        """Let another thread take over; return False where the task has ended meanwhile."""
        with self._lock:
            if task.future.done():
                return False
            task.is_left = True
            self._take_over()
        return True

    def _take_over(self) -> None:
        self._thread = threading.Thread(target=self._work, name="model-thread", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while self._do(self._tasks.get()):
            pass

    def _do(self, task: _Task[Any]) -> bool:
        """Run a task; return False where another thread has taken over."""
        task.started.set()
        result, error = None, None
        try:
            result = task.function()
        except BaseException as raised:  # noqa: BLE001 - it is raised again, in the caller's thread
            error = raised
        with self._lock:
            if not task.is_left:
                if error is None:
                    task.future.set_result(result)
                else:
                    task.future.set_exception(error)
                return True
        if isinstance(result, Detector):
            free(result)
        return False
