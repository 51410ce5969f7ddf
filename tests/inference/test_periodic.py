"""The one thread behind everything periodic: it outlives failures and ends at once."""

import threading
import time

import pytest

from detection.inference.periodic import PeriodicThread

WAIT_S = 60


def test_work_is_done_again_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    calls, done = [], threading.Event()

    def work() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise RuntimeError("once")
        done.set()

    thread = PeriodicThread("check", work, 0.01)
    thread.start()
    assert done.wait(WAIT_S)
    thread.stop()
    assert "The check failed; it is tried again in 0.01 seconds." in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_first_call_is_done_when_start_returns(fails: bool) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        assert not fails

    thread = PeriodicThread("check", work, WAIT_S, at_once=True)
    thread.start()
    assert calls == [1]
    thread.stop()


def test_stop_waits_for_the_work_and_not_for_the_pause() -> None:
    ended: list[str] = []

    def work() -> None:
        assert thread.pause(WAIT_S)
        assert thread.is_stopping()
        ended.append("work")

    thread = PeriodicThread("check", work, 0.001, at_end=lambda: ended.append("end"))
    thread.start()
    time.sleep(0.05)
    started = time.monotonic()
    thread.stop()
    assert ended == ["work", "end"]
    assert time.monotonic() - started < WAIT_S / 2
