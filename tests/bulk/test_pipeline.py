"""Many things at once: in order, bounded, stopped cleanly; and how far it is, in words."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from detection.bulk.pipeline import MAX_RESULTS_AHEAD, in_order
from detection.bulk.progress import LINE_EVERY_S, LineMeter, format_duration, meter
from detection.bulk.running import Totals
from detection.bulk.stopping import stopping

WAIT_S = 60


def test_results_come_in_the_order_of_the_things() -> None:
    second_is_done = threading.Event()

    def work(thing: int) -> int:
        if thing == 0:
            assert second_is_done.wait(WAIT_S)
        if thing == 1:
            second_is_done.set()
        return thing * 10

    assert list(in_order(iter(range(5)), work, 2)) == [0, 10, 20, 30, 40]


def test_no_more_things_are_in_hand_than_asked_for() -> None:
    """Asked for only when a thread is free: a thing is the bytes of a photo."""
    lock = threading.Lock()
    in_hand, most = 0, 0

    def things() -> Iterator[int]:
        nonlocal in_hand, most
        for thing in range(200):
            with lock:
                in_hand += 1
                most = max(most, in_hand)
            yield thing

    def work(thing: int) -> int:
        nonlocal in_hand
        with lock:
            in_hand -= 1
        return thing

    assert list(in_order(things(), work, 3)) == list(range(200))
    assert most <= 3


def test_slow_one_does_not_stop_the_others_until_too_many_results_wait() -> None:
    free = threading.Event()
    done = []

    def work(thing: int) -> int:
        if thing == 0:
            assert free.wait(WAIT_S)
        else:
            done.append(thing)
            if len(done) == MAX_RESULTS_AHEAD - 1:
                free.set()
        return thing

    count = 2 * MAX_RESULTS_AHEAD
    assert list(in_order(iter(range(count)), work, 2)) == list(range(count))


def test_failure_is_raised_in_its_turn_and_what_runs_is_finished() -> None:
    finished = []

    def work(thing: int) -> int:
        if thing == 3:
            raise OSError("disk full")
        finished.append(thing)
        return thing

    results = in_order(iter(range(100)), work, 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="disk full"):
        next(results)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("bulk")] == []
    assert len(finished) < 99


def test_failing_input_is_raised_after_the_results_before_it() -> None:
    def things() -> Iterator[int]:
        yield 1
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        list(in_order(things(), lambda thing: thing, 2))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_ends_the_input_and_lets_what_runs_finish(number: int) -> None:
    before = signal.getsignal(number)
    with stopping() as stop:
        taken = []
        for thing in stop.until_requested(iter(range(10))):
            taken.append(thing)
            if thing == 2:
                os.kill(os.getpid(), number)
    assert taken == [0, 1, 2]
    assert stop.requested
    assert signal.getsignal(number) is before


def test_signal_while_the_input_is_waited_for_ends_it_too() -> None:
    def things() -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), signal.SIGINT)
        yield 2

    with stopping() as stop:
        assert list(stop.until_requested(things())) == [1]


def test_second_signal_ends_the_run_at_once() -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with stopping() as stop, pytest.raises(KeyboardInterrupt):
        twice()
    assert stop.requested


def clock(*times: float) -> Callable[[], float]:
    return iter(times).__next__


def test_line_tells_rate_and_time_left_every_ten_seconds() -> None:
    out = io.StringIO()
    lines = LineMeter(Console(file=out), 1_000, 100, clock(0.0, 5.0, LINE_EVERY_S, 15.0, 2 * LINE_EVERY_S))
    for _ in range(4):
        lines.advance()
    assert out.getvalue().splitlines() == [
        "102 of 1,000 photos, 0.2 a second, 1 h 14 min left",
        "104 of 1,000 photos, 0.2 a second, 1 h 14 min left",
    ]


def test_line_without_a_known_end_tells_the_rate() -> None:
    out = io.StringIO()
    lines = LineMeter(Console(file=out), None, 0, clock(0.0, 20.0))
    lines.advance()
    assert out.getvalue() == "1 photos, 0.1 a second\n"


def test_name_of_a_file_says_nothing_to_the_terminal() -> None:
    out = io.StringIO()
    with meter(Console(file=out), 1, 0) as shown:
        shown.say("[red]\x1b[2Ja.jpg\n: damaged")
    assert out.getvalue() == "[red]\N{REPLACEMENT CHARACTER}[2Ja.jpg\N{REPLACEMENT CHARACTER}: damaged\n"


def test_terminal_gets_a_bar() -> None:
    out = io.StringIO()
    with meter(Console(file=out, force_terminal=True, width=100), 3, 1) as shown:
        shown.advance()
        shown.say("b.jpg: It is damaged.")
        shown.advance()
    assert "b.jpg: It is damaged." in out.getvalue()
    assert "3/3" in out.getvalue()
    assert " a second" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (18_420, "5 h 7 min")],
    ids=["nothing", "a minute", "minutes", "hours"],
)
def test_duration_in_words(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    ("totals", "code", "said"),
    [
        pytest.param(
            Totals(2, 0, 1, 2.0, False), 0, "2 photos answered, 0 failed; 1 of them in this run: 2 s, 0.5", id="all"
        ),
        pytest.param(Totals(2, 1, 3, 2.0, False), 3, "2 photos answered, 1 failed", id="some failed"),
        pytest.param(Totals(0, 3, 3, 2.0, False), 1, "0 photos answered, 3 failed", id="none could be done"),
        pytest.param(Totals(0, 0, 0, 0.0, False), 1, "No photo was found", id="nothing there"),
        pytest.param(Totals(2, 1, 3, 2.0, True), 130, "Stopped. 2 photos answered", id="stopped"),
    ],
)
def test_exit_code_and_last_line_say_how_it_ended(totals: Totals, code: int, said: str) -> None:
    assert totals.exit_code == code
    assert str(totals).startswith(said)
