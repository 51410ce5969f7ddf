"""Live detection over a WebSocket: the newest frame wins, memory is bounded, and one bad frame harms no other."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from detection.accounts import throttling
from detection.accounts.throttling import Limiter
from detection.conf import Rate, Throttle
from detection.inference.detector import Detector
from detection.inference.engines.base import Outputs
from detection.inference.photos import formats
from detection.inference.types import ImageArray
from detection.predict.live import MAX_FRAME_BYTES, LiveConsumer, NewestFrame
from detection.serving import service as serving
from tests.inference.engines import BrightnessEngine, small_network
from tests.support import photos
from tests.support.serving import Server, running_server
from tests.support.sockets import WAIT_S, ConsumerSocket

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "live_client.py"
SOCKETS, FRAMES_EACH = 20, 200
T = TypeVar("T")


def grey(value: int) -> bytes:
    return photos.encode(Image.new("RGB", (200, 100), (value, value, value)), "PNG")


def camera_frame(seed: int) -> bytes:
    """A photo of 640 x 480 pixels that a JPEG cannot make small."""
    return photos.encode(photos.noise((640, 480), seed), "JPEG", quality=50)


class SlowFirst(BrightnessEngine):
    """Answers at once, but a photo of brightness `SLOW` when it is told."""

    SLOW = 200

    def infer(self, batch_rgb: ImageArray, *, photos_in_flight: int = 1) -> Outputs:
        if batch_rgb.mean() != self.SLOW:
            self.running.release()
            return BrightnessEngine().infer(batch_rgb, photos_in_flight=photos_in_flight)
        return super().infer(batch_rgb, photos_in_flight=photos_in_flight)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[BrightnessEngine]:
    """An engine that answers when it is told, in a detector of one thread where one photo can wait."""
    made = BrightnessEngine(poison=13)
    detector = Detector(small_network(), made, max_pixels=1_000_000, queue_size=1, threads=1)
    monkeypatch.setattr(serving._models, "_detector", detector)
    yield made
    made.go_on.set()
    detector.close()


def detector_in_use() -> Detector:
    return serving._models.detector()


def with_socket(ask: Callable[[ConsumerSocket], Awaitable[T]], query: bytes = b"") -> T:
    """What `ask` returns, asked over a connection to the consumer in this process."""

    async def run() -> T:
        async with ConsumerSocket(LiveConsumer.as_asgi(), "/ws/live", query) as socket:
            return await ask(socket)

    return asyncio.run(run())


async def asked(socket: ConsumerSocket, message: bytes | str) -> dict[str, Any]:
    await socket.send(message)
    return await socket.answer()


async def begun(engine: BrightnessEngine) -> None:
    """Wait until a photo has got to the engine."""
    assert await asyncio.to_thread(engine.running.acquire, timeout=WAIT_S)


async def handled(socket: ConsumerSocket) -> None:
    """Wait until everything that was sent so far has been handled: a text message is answered at once, in its turn."""
    assert "binary message" in (await asked(socket, "?"))["error"]


def test_newer_frame_takes_the_place_of_the_one_that_waits() -> None:
    async def run() -> list[Any]:
        newest = NewestFrame()
        taking = asyncio.ensure_future(newest.take())
        await asyncio.sleep(0)
        newest.put(b"a")
        first = await taking
        for data in (b"b", b"c", b"d"):
            newest.put(data)
        second = await newest.take()
        return [first.number, first.data, second.number, second.data, newest.received, newest.dropped]

    assert asyncio.run(run()) == [1, b"a", 4, b"d", 4, 2]


def test_while_one_frame_is_worked_on_the_newest_one_waits_and_older_ones_are_dropped(engine: BrightnessEngine) -> None:
    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        engine.go_on.clear()
        await socket.send(grey(250))
        await begun(engine)
        for brightness in (210, 220, 230):
            await socket.send(grey(brightness))
        await handled(socket)
        engine.go_on.set()
        return [await socket.answer(), await socket.answer()]

    answers = with_socket(ask)
    assert [(answer["frame"], answer["dropped"]) for answer in answers] == [(1, 2), (4, 2)]
    probabilities = [answer["prediction"][0]["probability"] for answer in answers]
    assert probabilities == pytest.approx([250 / 255, 230 / 255])


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowFirst]:
    """An engine in a detector of two threads."""
    made = SlowFirst()
    detector = Detector(small_network(), made, max_pixels=1_000_000, queue_size=1, threads=2)
    monkeypatch.setattr(serving._models, "_detector", detector)
    yield made
    made.go_on.set()
    detector.close()


def test_two_frames_are_worked_on_side_by_side_and_answered_in_their_order(two_workers: SlowFirst) -> None:
    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        two_workers.go_on.clear()
        for brightness in (SlowFirst.SLOW, 240):
            await socket.send(grey(brightness))
            await begun(two_workers)
        while detector_in_use().in_flight > 1:
            await asyncio.sleep(0)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(socket.message(), 0.2)
        two_workers.go_on.set()
        return [await socket.answer(), await socket.answer()]

    answers = with_socket(ask)
    assert [(answer["frame"], answer["dropped"]) for answer in answers] == [(1, 0), (2, 0)]
    probabilities = [answer["prediction"][0]["probability"] for answer in answers]
    assert probabilities == pytest.approx([SlowFirst.SLOW / 255, 240 / 255])


def test_answer_has_the_objects_of_the_contract_size_and_timings(engine: BrightnessEngine) -> None:
    async def ask(socket: ConsumerSocket) -> dict[str, Any]:
        return await asked(socket, grey(204))

    answer = with_socket(ask)
    assert list(answer) == ["prediction", "width", "height", "timings", "frame", "dropped"]
    assert answer["prediction"] == [
        {"objectClass": "light", "probability": pytest.approx(0.8), "x": 50, "y": 25, "width": 100, "height": 50}
    ]
    assert (answer["width"], answer["height"]) == (200, 100)
    assert list(answer["timings"]) == ["queue", "decode", "resize", "inference", "boxes"]


@pytest.mark.parametrize(("query", "reported"), [(b"", 0), (b"threshold=0.3", 1), (b"threshold=0.45", 0)])
def test_threshold_of_the_address_counts(engine: BrightnessEngine, query: bytes, reported: int) -> None:
    async def ask(socket: ConsumerSocket) -> dict[str, Any]:
        return await asked(socket, grey(102))

    assert len(with_socket(ask, query)["prediction"]) == reported


def test_frame_that_the_server_has_no_time_for_is_told_so_and_the_next_one_is_answered(
    engine: BrightnessEngine,
) -> None:
    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        engine.go_on.clear()
        others = [detector_in_use().submit(grey(250)) for _ in range(2)]
        refused = await asked(socket, grey(240))
        engine.go_on.set()
        for other in others:
            await asyncio.wrap_future(other)
        return [refused, await asked(socket, grey(240))]

    refused, answered = with_socket(ask)
    assert "too many photos are waiting" in refused["error"]
    assert (refused["frame"], answered["frame"]) == (1, 2)
    assert len(answered["prediction"]) == 1


def test_frame_of_whoever_has_left_leaves_the_queue(engine: BrightnessEngine) -> None:
    detector = detector_in_use()

    async def run() -> int:
        engine.go_on.clear()
        detector.submit(grey(250))
        await begun(engine)
        async with ConsumerSocket(LiveConsumer.as_asgi(), "/ws/live") as socket:
            await socket.send(grey(240))
            while detector.in_flight < 2:
                await asyncio.sleep(0)
        return detector.in_flight

    assert asyncio.run(run()) == 1
    assert engine.batches == [1]


def test_engine_that_failed_is_told_and_the_connection_is_closed(
    engine: BrightnessEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(socket: ConsumerSocket) -> tuple[dict[str, Any], Any]:
        return await asked(socket, grey(13)), await socket.message()

    answer, closing = with_socket(ask)
    assert (answer["error"], answer["frame"]) == ("The device failed on a photo.", 1)
    assert (closing["type"], closing["code"]) == ("websocket.close", 1011)
    assert "The device failed on a photo." in caplog.text


def test_frames_are_logged_for_debugging_only(engine: BrightnessEngine, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(socket: ConsumerSocket) -> dict[str, Any]:
        return await asked(socket, grey(204))

    with caplog.at_level(logging.DEBUG, "detection.predict.service"):
        with_socket(ask)
    assert [record.levelno for record in caplog.records if record.name == "detection.predict.service"] == [
        logging.DEBUG
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the embedded model."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("live"))}) as running:
        yield running


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return f"{server.url.replace('http', 'ws', 1)}/ws/live"


@pytest.fixture
def socket(address: str) -> Iterator[ClientConnection]:
    with connect(address, compression=None) as connected:
        yield connected


def answer_to(socket: ClientConnection, message: bytes | str) -> dict[str, Any]:
    socket.send(message)
    answer: dict[str, Any] = json.loads(socket.recv(WAIT_S))
    return answer


def test_real_frame_is_answered_as_the_api_answers_it_and_not_stored(
    server: Server, socket: ClientConnection, chelsea: bytes
) -> None:
    answer = answer_to(socket, chelsea)
    posted = httpx.post(
        f"{server.url}/api/predict?store=0", content=chelsea, headers={"Content-Type": "image/jpeg"}, timeout=WAIT_S
    )
    assert answer["prediction"] == posted.json()["prediction"]
    assert answer["prediction"][0]["objectClass"] == "cat"
    assert httpx.get(f"{server.url}/api/detections/").json()["results"] == []
    assert list(server.data_dir.glob("photos/*/*")) == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(b"", "The photo is empty.", id="empty"),
        pytest.param(b"no photo at all", "The photo cannot be read", id="no photo"),
        pytest.param(photos.png_bomb(), "at most 60,000,000 pixels are accepted", id="too many pixels"),
        pytest.param(bytes(MAX_FRAME_BYTES + 1), "at most 4,000,000 are accepted here", id="too many bytes"),
        pytest.param("hello", "Send each frame as one binary message", id="text"),
    ],
)
def test_bad_frame_is_told_what_to_do_and_the_next_one_is_answered(
    socket: ClientConnection, chelsea: bytes, message: bytes | str, sentence: str
) -> None:
    refused = answer_to(socket, message)
    assert sentence in refused["error"]
    assert refused.get("frame") == (None if isinstance(message, str) else 1)
    assert answer_to(socket, chelsea)["prediction"][0]["objectClass"] == "cat"


def test_unusable_threshold_is_told_and_the_connection_is_closed(address: str) -> None:
    with connect(f"{address}?threshold=high") as socket:
        assert json.loads(socket.recv(WAIT_S))["error"].startswith("threshold is 'high'; set it to a number")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("name", ["treshold", "store", "tiles"])
def test_unknown_parameter_is_told_and_the_connection_is_closed(name: str, address: str) -> None:
    with connect(f"{address}?{name}=0") as socket:
        said = f"There is no parameter '{name}' here. Use threshold, model, or leave it out."
        assert json.loads(socket.recv(WAIT_S)) == {"error": said}
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_page_of_another_site_is_refused(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers={"Origin": "https://evil.example"})
    assert refused.value.response.status_code == 403


def test_page_of_this_site_is_taken(server: Server, address: str, chelsea: bytes) -> None:
    with connect(address, additional_headers={"Origin": server.url}) as socket:
        assert answer_to(socket, chelsea)["frame"] == 1


def test_example_client_prints_what_is_in_each_frame(address: str, tmp_path: Path, chelsea: bytes) -> None:
    contents = [chelsea, b"no photo", photos.real_photo("motorcycle_left")]
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(content)
    printed = subprocess.run(
        [sys.executable, EXAMPLE, address, *paths], capture_output=True, text=True, timeout=WAIT_S, check=True
    ).stdout.splitlines()
    # A frame that is sent while another one waits may be dropped for it; the last one never is.
    unreadable = formats.UNREADABLE
    assert printed[-1] == "frame 3: motorbike 1.000"
    assert set(printed[:-1]) <= {"frame 1: cat 1.000", f"frame 2: {unreadable}"}


async def flood(address: str, frames: list[bytes]) -> tuple[int, int, int]:
    """Send without waiting for answers: how many were answered, how many dropped, the number of the last answer."""
    async with connect_async(address, compression=None, max_queue=None) as socket:

        async def send_all() -> None:
            for number in range(FRAMES_EACH):
                await socket.send(frames[number % len(frames)])

        sending = asyncio.create_task(send_all())
        answered = 0
        while True:
            answer = json.loads(await socket.recv())
            answered += 1
            if answer["frame"] == FRAMES_EACH:
                await sending
                return answered, answer["dropped"], answer["frame"]


def resident_bytes(process_id: int) -> int:
    """The memory of a process that is really in use (proc(5), statm)."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_sockets_that_send_faster_than_the_server_answers_do_not_grow_its_memory(server: Server, address: str) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system has no /proc to read a process's memory from")
    frames = [camera_frame(seed) for seed in range(3)]
    sent_bytes = SOCKETS * FRAMES_EACH * len(frames[0])

    async def run() -> tuple[list[tuple[int, int, int]], list[int]]:
        # Buffers and arenas that stay are there after the first frames.
        await asyncio.gather(*(flood(address, frames) for _ in range(2)))
        resident = [resident_bytes(server.process.pid)]
        flooding = asyncio.gather(*(flood(address, frames) for _ in range(SOCKETS)))
        while not flooding.done():
            await asyncio.wait([flooding], timeout=0.05)
            resident.append(resident_bytes(server.process.pid))
        return await flooding, resident

    results, resident = asyncio.run(asyncio.wait_for(run(), 240))
    assert all(answered + dropped == FRAMES_EACH == last for answered, dropped, last in results)
    assert sum(dropped for _, dropped, _ in results) > SOCKETS * FRAMES_EACH / 2
    assert sent_bytes > 400e6
    assert max(resident) - resident[0] < 120e6


@pytest.fixture
def throttled(limits: Any) -> Iterator[Any]:
    """Limit the rate of addresses; nobody owes frames of another test."""
    with mock.patch.object(throttling, "_limiter", Limiter()):
        yield lambda count, period_s: limits(throttle=Throttle(address=Rate(count, period_s)))


def test_frames_above_the_rate_wait_and_the_newest_one_wins(engine: BrightnessEngine, throttled: Any) -> None:
    throttled(1, 1.0)

    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        engine.go_on.clear()
        await socket.send(grey(250))
        await begun(engine)
        for brightness in (210, 220, 230):
            await socket.send(grey(brightness))
        await handled(socket)
        engine.go_on.set()
        return [await socket.answer(), await socket.answer()]

    started = time.monotonic()
    answers = with_socket(ask)
    assert time.monotonic() - started >= 0.9
    assert [(answer["frame"], answer["dropped"]) for answer in answers] == [(1, 2), (4, 2)]
    assert answers[1]["prediction"][0]["probability"] == pytest.approx(230 / 255)


def test_frame_that_would_wait_for_long_is_told_how_long(engine: BrightnessEngine, throttled: Any) -> None:
    throttled(2, 3600.0)

    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        return [await asked(socket, grey(250)) for _ in range(3)]

    answers = with_socket(ask)
    assert [answer["frame"] for answer in answers] == [1, 2, 3]
    assert ["prediction" in answer for answer in answers] == [True, True, False]
    assert answers[2]["error"].startswith(
        "Too many requests: 2 in 3600 seconds are taken from you. Send this one again in"
    )


def test_dropped_frames_do_not_count_for_the_throttle(engine: BrightnessEngine, throttled: Any) -> None:
    throttled(2, 3600.0)

    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        engine.go_on.clear()
        await socket.send(grey(250))
        await begun(engine)
        for brightness in (210, 220, 230):
            await socket.send(grey(brightness))
        await handled(socket)
        engine.go_on.set()
        return [await socket.answer(), await socket.answer()]

    assert [("prediction" in answer, answer["frame"]) for answer in with_socket(ask)] == [(True, 1), (True, 4)]


def test_all_sockets_of_a_caller_share_the_rate(engine: BrightnessEngine, throttled: Any) -> None:
    throttled(1, 3600.0)

    async def ask(socket: ConsumerSocket) -> list[dict[str, Any]]:
        async with ConsumerSocket(LiveConsumer.as_asgi(), "/ws/live") as other:
            return [await asked(socket, grey(250)), await asked(other, grey(250))]

    assert ["error" in answer for answer in with_socket(ask)] == [False, True]
