"""Threads that take photos through their two steps, callers by turns: prepare (a core's work), then run (an engine's).

A photo that is looked at in tiles takes a turn for each of them, so that nobody waits for all of them.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from detection.inference.errors import DetectorClosedError, OverloadedError
from detection.inference.messages import Message, gettext_noop
from detection.inference.queues.fair_queue import OVERLOADED, FairQueue, Shares, most_large

P = TypeVar("P")
V = TypeVar("V")
R = TypeVar("R")
S = TypeVar("S")

_CLOSED = Message(
    "model_changed",
    gettext_noop("The model was changed, or the server stops. Send the photo again in a moment."),
)


@dataclass(frozen=True, slots=True)
class Task(Generic[P, R]):
    """A queued photo: the two steps to its result, and the future of who waits for it.

    prepare may give `Views`, each of which is run in a turn of its own; is_tiled: it will.
    is_large: it is prepared beside one large photo less than there are cores.
    """

    prepare: Callable[[], P]
    run: Callable[[P], R]
    caller: str
    is_large: bool = False
    is_tiled: bool = False
    future: "Future[R]" = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)

    def attempt(self, step: Callable[..., S], *given: Any) -> S | None:
        """Take a step; None where it fails, which the future gets to know."""
        try:
            return self.context.run(step, *given)
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the caller's thread
            # The error references this frame, and the future the error: the photo would stay until a collection.
            self.future.set_exception(error)
            del self, step, given
            return None


@dataclass(frozen=True, slots=True)
class Views(Generic[V, P, S]):
    """Views of one photo: the first one is prepared and run at once, each other one in a turn of its own; `join` makes
    the result of theirs, in their order.
    """

    views: Sequence[V]
    prepare: Callable[[V], P]
    run: Callable[[P], S]
    join: Callable[[list[S]], Any]


class PhotoQueue:
    """Queue of photos and the threads that work on it.

    workers: how many photos are run at the same time; cores: how many are prepared; limit: how many there are at most,
    queued or worked on; spare: threads beyond the workers, which prepare photos ahead.
    """

    def __init__(self, *, workers: int, cores: int, limit: int, spare: int = 0) -> None:
        self._workers, self._cores = workers, cores
        self._limit = limit
        self._pool = ThreadPoolExecutor(workers + spare, thread_name_prefix="detector")
        # More at once than there are cores would gain nothing, and each holds a whole photo.
        self._preparing = threading.Semaphore(cores)
        self._waiting: FairQueue[Task[Any, Any]] = FairQueue()
        # Of a caller, while others come: photos that are worked on, and those of them that are prepared.
        self._shares, self._prepared_shares = Shares(most_large(workers)), Shares(most_large(cores))
        self._most_large = most_large(cores)
        self._photos = self._parts = self._large = self._tiled = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def photos(self) -> int:
        """Number of photos that are queued or being processed."""
        return self._photos

    @property
    def runs(self) -> int:
        """Number of runs of the network that are queued or going on: one a photo, and the other views of those that
        were begun.
        """
        return self._photos + self._parts

    def submit(self, task: "Task[Any, R]") -> "Future[R]":
        """Queue a photo. Raises OverloadedError and DetectorClosedError.

        The future raises OverloadedError where the photo had to make room for one of another caller.
        """
        displaced = self._enter(task)
        task.future.add_done_callback(self._photo_ended)
        if displaced is not None and displaced.future.set_running_or_notify_cancel():
            displaced.future.set_exception(OverloadedError(OVERLOADED()))
        return task.future

    def close(self) -> bool:
        """Finish the photos that are queued; return False when it was closed before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        self._pool.shutdown(wait=True)
        return True

    def _enter(self, task: "Task[Any, Any]") -> "Task[Any, Any] | None":
        """Put a photo into the queue; return the one that had to make room for it."""
        with self._lock:
            if self._closed:
                raise DetectorClosedError(_CLOSED())
            displaced = None
            if self._photos >= self._limit:
                displaced = self._waiting.displace(task.caller)
                if displaced is None:
                    raise OverloadedError(OVERLOADED())
            self._photos += 1
            self._shares.came(task.caller)
            self._prepared_shares.came(task.caller)
            self._waiting.put(task.caller, task)
            # Within the lock: nothing is submitted to a pool that was shut down.
            self._pool.submit(self._work)
            return displaced

    def _work(self) -> None:
        """Run photos to their ends, as long as there is one whose turn it is."""
        while True:
            with self._preparing:
                task = self._next()
                if task is None:
                    return
                prepared, result = task.attempt(task.prepare), None
                with self._lock:
                    self._large -= task.is_large
                    self._prepared_shares.end(task.caller)
                    # What waited for a share alone has no thread, and this one may be blocked in a batch now.
                    if self._workers > self._cores and self._waiting and not self._closed:
                        self._pool.submit(self._work)
            if isinstance(prepared, Views):
                task = self._part(task, prepared)
                prepared = task.attempt(task.prepare)
            if prepared is not None:
                result = task.attempt(task.run, prepared)
            with self._lock:
                self._shares.end(task.caller)
                # What comes from now on has a thread called for it; what waits for a share, or a core, has none.
                is_last = not self._waiting
            if result is not None:
                task.future.set_result(result)
            # What they hold must not stay until the next photo comes, nor with the error of a failed one.
            task = prepared = result = None
            if is_last:
                return

    def _next(self) -> "Task[Any, Any] | None":
        """Take the next photo, or view of one, that was not cancelled."""
        with self._lock:
            while True:
                task = self._waiting.take(self._may_begin, self._may_go_on)
                if task is None or task.future.set_running_or_notify_cancel():
                    break
            if task is not None:
                self._shares.begin(task.caller)
                self._prepared_shares.begin(task.caller)
                self._large += task.is_large
                self._tiled += task.is_tiled
        if task is not None and task.is_tiled:
            task.future.add_done_callback(self._tiled_ended)
        return task

    def _may_begin(self, task: "Task[Any, Any]") -> bool:
        """One large photo less is prepared than there are cores, and as many are in tiles as there are workers: all
        views of one are in memory until it ends.
        """
        return (
            self._may_go_on(task)
            and (not task.is_large or self._large < self._most_large)
            and (not task.is_tiled or self._tiled < self._workers)
        )

    def _may_go_on(self, task: "Task[Any, Any]") -> bool:
        """While others come, a caller has all but one of the workers, and of the cores that prepare."""
        return self._shares.may(task.caller) and self._prepared_shares.may(task.caller)

    def _part(self, whole: "Task[Any, Any]", views: "Views[Any, Any, Any]") -> "Task[Any, Any]":
        """Queue the views of a photo but the first, which is returned, to be run at once."""
        first, *others = _Joint(whole, views).parts
        for part in others:
            part.future.add_done_callback(self._part_ended)
        first.future.set_running_or_notify_cancel()
        with self._lock:
            self._parts += len(others)
            self._waiting.put_begun(whole.caller, others)
            # A closed pool takes nothing; its threads, of which this is one, empty the queue.
            for _ in () if self._closed else others:
                self._pool.submit(self._work)
        return first

    def _photo_ended(self, _future: "Future[Any]") -> None:
        with self._lock:
            self._photos -= 1

    def _tiled_ended(self, _future: "Future[Any]") -> None:
        with self._lock:
            self._tiled -= 1

    def _part_ended(self, _future: "Future[Any]") -> None:
        with self._lock:
            self._parts -= 1


class _Joint:
    """Views of a photo as tasks of their own: the last one that ends gives the photo its result, the first error ends
    it.
    """

    def __init__(self, whole: "Task[Any, Any]", views: "Views[Any, Any, Any]") -> None:
        self._whole, self._join = whole, views.join
        # A context is entered by one thread at a time.
        self.parts: list[Task[Any, Any]] = [
            Task(partial(views.prepare, view), views.run, whole.caller, context=whole.context.copy())
            for view in views.views
        ]
        self._left = len(self.parts)
        self._has_ended = False
        self._lock = threading.Lock()
        for part in self.parts:
            part.future.add_done_callback(self._ended)

    def _ended(self, future: "Future[Any]") -> None:
        error = None if future.cancelled() else future.exception()
        with self._lock:
            self._left -= 1
            if self._has_ended or (error is None and self._left):
                return
            self._has_ended = True
        # They and this reference each other: the views would stay until a collection.
        parts, self.parts = self.parts, []
        if error is not None:
            self._whole.future.set_exception(error)
            for part in parts:
                part.future.cancel()
            return
        result = self._whole.attempt(self._join, [part.future.result() for part in parts])
        if result is not None:
            self._whole.future.set_result(result)
