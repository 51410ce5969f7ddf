"""Queues in which callers take turns, so that a hundred photos of one caller do not delay the others."""

import contextlib
import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from detection.inference.errors import OverloadedError
from detection.inference.messages import Message, gettext_noop

T = TypeVar("T")
# A caller who came, or was answered, this recently is expected to come again.
OTHERS_S = 1.0
OVERLOADED = Message(
    "overloaded",
    gettext_noop("The server is busy: too many photos are waiting. Send this one again in a moment."),
)


def _any(_thing: object) -> bool:
    return True


class FairQueue(Generic[T]):
    """Queue of the waiting things of each caller, whose turns go round. Its user holds a lock."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._begun: dict[str, deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, caller: str, thing: T) -> None:
        """Queue a thing behind those of the same caller."""
        self._waiting.setdefault(caller, deque()).append(thing)

    def put_begun(self, caller: str, things: Collection[T]) -> None:
        """Queue parts of something that was taken before: they come before what else the caller has, in the caller's
        turns, and make no room for others.
        """
        if not things:
            return
        self._waiting.setdefault(caller, deque())
        self._begun.setdefault(caller, deque()).extend(things)

    def take(self, may: Callable[[T], bool] = _any, may_go_on: Callable[[T], bool] = _any) -> T | None:
        """Take the first thing of the caller whose turn it is, of those that `may` be taken now; None without one.

        may_go_on: asked in its place about a part of something that was taken before.
        """
        for caller, waiting in self._waiting.items():
            begun = self._begun.get(caller)
            if may_go_on(begun[0]) if begun else may(waiting[0]):
                thing = (begun or waiting).popleft()
                self._waiting.move_to_end(caller)
                self._forget_empty(caller)
                return thing
        return None

    def displace(self, caller: str) -> T | None:
        """Take the newest thing of the caller who has most, for one of a caller who has at least two fewer."""
        if not self._waiting:
            return None
        heaviest = max(self._waiting, key=lambda one: len(self._waiting[one]))
        own = len(self._waiting[caller]) if caller in self._waiting else 0
        if len(self._waiting[heaviest]) < own + 2:
            return None
        thing = self._waiting[heaviest].pop()
        self._forget_empty(heaviest)
        return thing

    def drop(self, caller: str, thing: T) -> None:
        """Take a thing out that has not had its turn."""
        self._waiting[caller].remove(thing)
        self._forget_empty(caller)

    def _forget_empty(self, caller: str) -> None:
        if self._begun and not self._begun.get(caller, True):
            del self._begun[caller]
        if not self._waiting[caller] and caller not in self._begun:
            del self._waiting[caller]


class Shares:
    """Counts what is worked on for each caller. While others come, too, a caller has at most `most` at the same time.

    So the next one of somebody else begins at once, however much one caller sends. Its user holds a lock.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._held: Counter[str] = Counter()
        # Who came last, and who came last of all others.
        self._last, self._before = ("", -math.inf), ("", -math.inf)

    def came(self, caller: str) -> None:
        """Notice a caller."""
        if caller != self._last[0]:
            self._before = self._last
        self._last = (caller, self._clock())

    def may(self, caller: str) -> bool:
        """Return whether one more of this caller may be worked on now."""
        if self._held[caller] < self._most:
            return True
        _, came_s = self._before if caller == self._last[0] else self._last
        return self._clock() - came_s > OTHERS_S

    def begin(self, caller: str) -> None:
        """Count one that is worked on."""
        self._held[caller] += 1

    def end(self, caller: str) -> None:
        """Count it no longer. Its caller has waited, and is expected to send the next one now."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        self.came(caller)


@dataclass(slots=True, eq=False)
class _Waiting:
    size: int
    is_refused: bool = False
    go: threading.Event = field(default_factory=threading.Event)


class FairTurns:
    """Turns of threads that share something, callers by turns: `capacity` of it, for `most` threads at the same time.

    What alone takes more than there is has its turn alone. At most `most_waiting` threads wait.
    """

    def __init__(self, capacity: int, most: int, most_waiting: int = 64) -> None:
        self._capacity = capacity
        self._most = most
        self._most_waiting = most_waiting
        self._held = self._running = self.waiting_count = 0
        self._waiting: FairQueue[_Waiting] = FairQueue()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, size: int = 1, caller: str = "", timeout_s: float | None = None) -> Iterator[None]:
        """Hold so much of it, as soon as there is. Raises OverloadedError after `timeout_s`, or where too many wait."""
        self._enter(_Waiting(size), caller, timeout_s)
        try:
            yield
        finally:
            with self._lock:
                self._held -= size
                self._running -= 1
                self._admit()

    def _enter(self, waiting: _Waiting, caller: str, timeout_s: float | None) -> None:
        with self._lock:
            if self.waiting_count >= self._most_waiting:
                displaced = self._waiting.displace(caller)
                if displaced is None:
                    raise OverloadedError(OVERLOADED())
                self.waiting_count -= 1
                displaced.is_refused = True
                displaced.go.set()
            self._waiting.put(caller, waiting)
            self.waiting_count += 1
            self._admit()
        has_turn = waiting.go.wait(timeout_s)
        with self._lock:
            if not has_turn and not waiting.go.is_set():
                self._waiting.drop(caller, waiting)
                self.waiting_count -= 1
                waiting.is_refused = True
        if waiting.is_refused:
            raise OverloadedError(OVERLOADED())

    def _admit(self) -> None:
        while (first := self._waiting.take(self._fits)) is not None:
            self.waiting_count -= 1
            self._held += first.size
            self._running += 1
            first.go.set()

    def _fits(self, waiting: _Waiting) -> bool:
        if self._running >= self._most:
            return False
        return not self._running or self._held + waiting.size <= self._capacity


class FairPool:
    """Threads that run functions, by turns of their callers. `most_large` of the large ones run at the same time."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most_large = most_large(threads)
        self._large = 0
        self._waiting: FairQueue[tuple[Callable[[], object], bool]] = FairQueue()
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., object], *given: Any, caller: str = "", is_large: bool = False) -> None:
        """Run a function, which raises nothing, in the context of who calls this."""
        context = copy_context()
        with self._lock:
            self._waiting.put(caller, (lambda: context.run(function, *given), is_large))
            self._pool.submit(self._work)

    def shutdown(self) -> None:
        """Run what is queued, then stop."""
        self._pool.shutdown(wait=True)

    def _work(self) -> None:
        # Whoever runs a large one takes the next one that had to wait for it.
        while True:
            with self._lock:
                task = self._waiting.take(lambda task: not task[1] or self._large < self._most_large)
                if task is None:
                    return
                self._large += task[1]
            task[0]()
            with self._lock:
                self._large -= task[1]


def most_large(threads: int) -> int:
    """Return how many of so many threads large photos may take: one is left for others where there are several."""
    return max(1, threads - 1)
