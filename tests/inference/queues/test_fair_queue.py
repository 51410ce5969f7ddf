"""Callers take turns, wherever they wait for something together."""

import threading
from concurrent.futures import Future
from functools import partial
from queue import Queue
from typing import Any

import pytest

from detection.inference.detector import Prediction
from detection.inference.errors import OverloadedError
from detection.inference.queues.fair_queue import OTHERS_S, FairPool, FairQueue, FairTurns, Shares
from detection.inference.queues.photo_queue import PhotoQueue, Task
from tests.inference.engines import BrightnessEngine
from tests.inference.test_detector import grey, make_detector

WAIT_S = 60


def test_turns_go_round() -> None:
    queue: FairQueue[str] = FairQueue()
    for thing in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(thing[0], thing)
    assert [queue.take() for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", None]


def test_what_may_not_be_taken_now_holds_up_its_own_caller_alone() -> None:
    queue: FairQueue[str] = FairQueue()
    for thing in ("A1", "a2", "b1"):
        queue.put(thing[0].lower(), thing)
    assert [queue.take(str.islower) for _ in range(2)] == ["b1", None]
    assert [queue.take() for _ in range(3)] == ["A1", "a2", None]


def test_parts_of_what_was_begun_come_first_in_their_callers_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for thing in ("a1", "a2", "b1", "b2"):
        queue.put(thing[0], thing)
    assert queue.take() == "a1"
    queue.put_begun("a", ["A1", "A2"])
    queue.put_begun("c", ["C1"])
    queue.put_begun("d", [])
    assert [queue.take(str.isalnum) for _ in range(7)] == ["b1", "A1", "C1", "b2", "A2", "a2", None]
    assert not queue


def test_parts_of_what_was_begun_make_no_room_and_are_always_taken() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.put_begun("a", ["A1", "A2", "A3"])
    assert queue.displace("b") is None
    assert queue.take(lambda _: False) == "A1"


def test_room_is_made_by_the_one_who_has_most() -> None:
    queue: FairQueue[str] = FairQueue()
    for thing in ("a1", "b1", "b2", "b3"):
        queue.put(thing[0], thing)
    assert queue.displace("c") == "b3"
    assert queue.displace("b") is None
    assert queue.displace("a") is None


def test_full_queue_of_one_caller_takes_the_photo_of_another() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, threads=1, queue_size=4)
    engine.go_on.clear()
    running = detector.submit(grey(250), caller="many")
    assert engine.running.acquire(timeout=WAIT_S)
    waiting = [detector.submit(grey(250), caller="many") for _ in range(4)]
    with pytest.raises(OverloadedError):
        detector.submit(grey(250), caller="many")
    finished: list[Future[Prediction]] = []
    other = detector.submit(grey(250), caller="other")
    for future in (running, *waiting, other):
        future.add_done_callback(finished.append)
    assert isinstance(waiting[-1].exception(WAIT_S), OverloadedError)
    engine.go_on.set()
    assert len(other.result(WAIT_S).objects) == 1
    assert [len(future.result(WAIT_S).objects) for future in (running, *waiting[:-1])] == [1, 1, 1, 1]
    detector.close()
    assert detector.in_flight == 0
    # Behind the one that was running, and one more of the other caller at most.
    assert finished.index(other) <= 3


def test_turns_with_a_capacity_are_bounded_and_fair() -> None:
    turns = FairTurns(capacity=10, most=2, most_waiting=3)
    order: list[str] = []
    threads = []

    def take(caller: str) -> None:
        try:
            with turns.turn(6, caller, WAIT_S):
                order.append(caller)
        except OverloadedError:
            order.append(f"{caller} refused")

    def start(caller: str, waiting: int) -> None:
        threads.append(threading.Thread(target=take, args=(caller,)))
        threads[-1].start()
        while turns.waiting_count < waiting:
            pass

    with turns.turn(6):
        for number in range(3):
            start("a", number + 1)
        with pytest.raises(OverloadedError), turns.turn(6, "a", WAIT_S):
            pass
        threads.append(threading.Thread(target=take, args=("b",)))
        threads[-1].start()
        while "a refused" not in order:
            pass
    for thread in threads:
        thread.join()
    assert order == ["a refused", "a", "b", "a"]


def test_turn_that_does_not_come_is_given_up() -> None:
    turns = FairTurns(capacity=1, most=1)
    with turns.turn():
        with pytest.raises(OverloadedError), turns.turn(timeout_s=0.01):
            pass
        assert turns.waiting_count == 0
    with turns.turn(timeout_s=0.01):
        pass


def test_what_is_too_large_has_its_turn_alone() -> None:
    turns = FairTurns(capacity=10, most=2)
    with turns.turn(100, timeout_s=0.01), pytest.raises(OverloadedError), turns.turn(1, timeout_s=0.01):
        pass


def test_large_ones_leave_a_thread_for_others() -> None:
    pool = FairPool(2, "test")
    go_on, done = threading.Event(), threading.Semaphore(0)
    for _ in range(3):
        pool.submit(go_on.wait, WAIT_S, caller="large", is_large=True)
    pool.submit(done.release, caller="small")
    assert done.acquire(timeout=WAIT_S)
    go_on.set()
    pool.shutdown()


def test_caller_has_all_but_one_place_only_while_others_come() -> None:
    now = [100.0]
    shares = Shares(1, lambda: now[0])
    shares.came("many")
    shares.begin("many")
    assert shares.may("many")
    shares.came("other")
    assert not shares.may("many")
    assert shares.may("other")
    shares.came("many")
    assert not shares.may("many")
    now[0] += OTHERS_S + 0.1
    shares.came("many")
    assert shares.may("many")
    shares.came("other")
    shares.end("many")
    assert shares.may("many")


def test_caller_who_was_just_answered_is_expected_again() -> None:
    now = [100.0]
    shares = Shares(1, lambda: now[0])
    shares.came("other")
    shares.came("many")
    shares.begin("many")
    # The other one has waited long for its turn.
    now[0] += 10 * OTHERS_S
    shares.begin("other")
    shares.end("other")
    assert not shares.may("many")
    now[0] += OTHERS_S + 0.1
    assert shares.may("many")


def test_caller_leaves_a_core_that_prepares_to_others_where_batches_have_more_workers() -> None:
    queue = PhotoQueue(workers=6, cores=2, limit=20)
    queue._shares, queue._prepared_shares = Shares(5, lambda: 0.0), Shares(1, lambda: 0.0)
    begun: Queue[str] = Queue()
    go_on = threading.Event()

    def prepare(caller: str) -> str:
        begun.put(caller)
        go_on.wait(WAIT_S)
        return caller

    def submitted(caller: str) -> Any:
        return queue.submit(Task(partial(prepare, caller), lambda prepared: prepared, caller))

    submitted("other").cancel()
    futures = [submitted("many") for _ in range(4)]
    assert begun.get(timeout=WAIT_S) == "many"
    futures.append(submitted("other"))
    assert begun.get(timeout=WAIT_S) == "other"
    go_on.set()
    assert [future.result(WAIT_S) for future in futures] == ["many"] * 4 + ["other"]
    queue.close()


def test_photo_of_another_begins_while_those_of_one_caller_go_on() -> None:
    engine = BrightnessEngine()
    detector = make_detector(engine, threads=2, queue_size=8)
    # A clock that stands still: the other caller came just now, however slow this machine is.
    detector._photos._shares = Shares(1, lambda: 0.0)
    engine.go_on.clear()
    detector.submit(grey(250), caller="other").cancel()
    many = [detector.submit(grey(250), caller="many") for _ in range(6)]
    assert engine.running.acquire(timeout=WAIT_S)
    other = detector.submit(grey(250), caller="other")
    # The network runs for both, though five photos of the first caller came before.
    assert engine.running.acquire(timeout=WAIT_S)
    assert other.running()
    assert sum(future.running() for future in many) == 1
    engine.go_on.set()
    assert [len(future.result(WAIT_S).objects) for future in (*many, other)] == [1] * 7
    detector.close()
