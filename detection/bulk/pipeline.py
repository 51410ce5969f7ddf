"""Concurrent processing of an iterable, with the results in its order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Finished results that may be held back by a slow one before them; they are small.
MAX_RESULTS_AHEAD = 1024


def in_order(things: Iterator[T | None], work: Callable[[T], R], at_once: int) -> Iterator[R]:
    """Apply `work` to each thing on `at_once` threads; yield the results in order.

    None among the things: there is none for now, and results that are ready are yielded. The next thing is read only
    when a thread is free for it, so that no more than `at_once` are in memory. An error of `work` is raised in its
    turn, after all results before it; what has begun by then is finished, the rest is left.
    """
    free = Semaphore(at_once)

    def run(thing: T) -> R:
        try:
            return work(thing)
        finally:
            free.release()

    with ThreadPoolExecutor(at_once, thread_name_prefix="bulk") as pool:
        waiting: deque[Future[R]] = deque()
        try:
            while free.acquire():
                try:
                    thing = next(things)
                except StopIteration:
                    break
                if thing is None:
                    free.release()
                else:
                    waiting.append(pool.submit(run, thing))
                while waiting and (waiting[0].done() or len(waiting) >= MAX_RESULTS_AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
