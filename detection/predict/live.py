"""WebSocket consumer of live detection: a camera's frames in, the objects of the newest one out (docs/live.md)."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

from detection.accounts import throttling
from detection.accounts.access import ANYBODY, Caller
from detection.asgi.consumer import JsonConsumer
from detection.errors import CloseCode, RequestError, ThrottledError, close_code_of, error_body, respond_to
from detection.inference.tiles.grid import WHOLE
from detection.models import Detection
from detection.predict import service as predict_service
from detection.predict.service import DetectionResult, Upload
from detection.serving import service as serving
from detection.web.asgi_messages import address_of
from detection.web.query import decode_query, parse_threshold, refuse_unknown
from detection.web.serializers import prediction_body

# A frame of a 4K camera is smaller. A socket can hold four: one arriving, one queued, two in the detector.
MAX_FRAME_BYTES = 4_000_000
MAX_WORKED_ON = 2
# A frame may be delayed by the throttle for so long before the client is told.
_MOMENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes of a photo, and its number on its socket, from 1 on."""

    number: int
    data: bytes


class NewestFrame:
    """Queue of one frame: a newer frame replaces the one still queued. For one event loop.

    received and dropped count the frames of the socket so far.
    """

    def __init__(self) -> None:
        self.received = 0
        self.dropped = 0
        self._waiting: Frame | None = None
        self._arrived = asyncio.Event()

    def put(self, data: bytes) -> Frame | None:
        """Replace the queued frame, without blocking, and return it, if there was one."""
        self.received += 1
        older, self._waiting = self._waiting, Frame(self.received, data)
        if older is not None:
            self.dropped += 1
        self._arrived.set()
        return older

    async def arrival(self) -> None:
        """Block until there is a frame."""
        while self._waiting is None:
            self._arrived.clear()
            await self._arrived.wait()

    async def take(self) -> Frame:
        """Return the newest frame, as soon as there is one."""
        await self.arrival()
        frame, self._waiting = cast("Frame", self._waiting), None
        return frame


class LiveConsumer(JsonConsumer):
    """Consumer of `/ws/live`: each binary message is a frame; the newest one is answered with the JSON of `POST
    /predict` and more.

    Channels awaits one handler at a time for each socket. So `receive` only puts the frame into a queue of one, and a
    task takes it from there: the memory of a socket is bounded however fast it sends. Nothing is stored. An unusable
    frame is answered with `{"error": sentence, "frame": n}` and the socket stays open; a failure of the server closes
    it.

    Only processed frames count for the throttles. Above the rate frames are delayed, and the newest one replaces the
    others there too; a delay of more than a moment is reported to the client.
    """

    _worker: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Accept, and refuse an invalid address with an error message."""
        self.caller = cast("Caller", self.scope.get("caller", ANYBODY))
        self._newest = NewestFrame()
        self._threshold: float | None = None
        self._model = ""
        self._working: deque[asyncio.Task[None]] = deque()
        self._worker = asyncio.create_task(self._work())
        await self.accept()
        query = decode_query(self.scope["query_string"])
        try:
            refuse_unknown(query, ("threshold", "model"))
            self._threshold = parse_threshold(query)
            self._model = query.get("model", "")
        except RequestError as error:
            await self.send_body(error_body(str(error)))
            await self.close(CloseCode.POLICY_VIOLATION)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Queue a frame for the worker."""
        if bytes_data is None:
            await self.send_body(error_body("Send each frame as one binary message: the bytes of a JPEG, PNG or WebP."))
            return
        older = self._newest.put(bytes_data)
        if older is not None:
            self.release(older.data)

    def handled(self, data: bytes | str) -> None:
        """Do nothing: a frame is released when it was replaced or answered."""
        if isinstance(data, str):
            self.release(data)

    async def clean_up(self) -> None:
        """Stop; a frame that is still queued for the network leaves the queue."""
        if self._worker is None:
            return
        tasks = {self._worker, *self._working}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _work(self) -> None:
        """Answer the newest frame in a loop.

        Two are processed side by side where a worker is free for the second: one is decoded, and its boxes are, while
        the network has the other, and with each on a core of its own the throughput is higher.
        """
        while True:
            while self._working and not self._has_room():
                await asyncio.wait({self._working[0]})
                self._working.popleft()
            frame = await self._next_frame()
            earlier = self._working[-1] if self._working else None
            self._working.append(asyncio.create_task(self._answer(frame, earlier)))

    def _has_room(self) -> bool:
        return len(self._working) < min(MAX_WORKED_ON, serving.fewest_workers()) and serving.has_a_free_worker()

    async def _next_frame(self) -> Frame:
        """Return the newest frame, as soon as the throttle allows one."""
        while True:
            await self._newest.arrival()
            try:
                throttling.take(self.caller, address_of(self.scope))
            except ThrottledError as error:
                await self._wait_for_turn(error)
            else:
                return await self._newest.take()

    async def _wait_for_turn(self, error: ThrottledError) -> None:
        if error.wait_s > _MOMENT_S:
            frame = await self._newest.take()
            self.release(frame.data)
            await self._send_to(frame, error_body(str(error)))
        await asyncio.sleep(error.wait_s)

    async def _send_to(self, frame: Frame, body: dict[str, Any]) -> None:
        await self.send_body({**body, "frame": frame.number, "dropped": self._newest.dropped})

    async def _answer(self, frame: Frame, earlier: asyncio.Task[None] | None) -> None:
        """Answer one frame after those before it; a failure of the server ends the socket."""
        # A client that has disconnected gets no answer; `disconnect` follows.
        with contextlib.suppress(OSError):
            try:
                body, close_code = await self._detected(frame)
            finally:
                self.release(frame.data)
            if earlier is not None:
                await asyncio.wait({earlier})
            await self._send_to(frame, body)
            if close_code is CloseCode.INTERNAL_ERROR and self._worker is not None:
                self._worker.cancel()
                await self.close(CloseCode.INTERNAL_ERROR)

    async def _detected(self, frame: Frame) -> tuple[dict[str, Any], CloseCode | None]:
        """Return the response to a frame; with the close code of an error that has one."""
        try:
            if len(frame.data) > MAX_FRAME_BYTES:
                raise RequestError(
                    f"The frame has {len(frame.data):,} bytes; at most {MAX_FRAME_BYTES:,} are accepted here. "
                    "Send a smaller one, 640 x 480 pixels say."
                )
            return self._body(await predict_service.detect_async(self._upload(frame))), None
        except Exception as error:  # noqa: BLE001 the outermost edge: whatever it is, the caller gets a sentence
            return error_body(respond_to(error, self.scope["path"])[1]), close_code_of(error)

    def _upload(self, frame: Frame) -> Upload:
        source = Detection.Source.WEBSOCKET.value
        return Upload(
            frame.data, source, threshold=self._threshold, store=False, quiet=True, model=self._model, tiles=WHOLE
        )

    def _body(self, answer: DetectionResult) -> dict[str, Any]:
        width, height = answer.size_wh
        timings = {stage: round(ms, 2) for stage, ms in answer.timings}
        return {**prediction_body(answer.objects), "width": width, "height": height, "timings": timings}
