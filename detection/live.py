"""Live detection over a WebSocket: a camera's frames go in, the objects of the newest one come out (docs/live.md)."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from channels.generic.websocket import AsyncWebsocketConsumer

from detection import services
from detection.errors import RequestError, answer_to, error_body, respond_to
from detection.models import Detection
from detection.predict_request import parse_threshold
from detection.serializers import prediction_body, to_json
from detection.services import Answer, Upload

# A frame of a 4K camera is smaller. A socket can hold three: one comes in, one waits, one is worked on.
MAX_FRAME_BYTES = 4_000_000
_OUR_FAULT = 1011
_POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of a photo, and the how-manieth of its socket it is, from 1 on."""

    number: int
    data: bytes


class NewestFrame:
    """One place for one frame: a newer frame takes the place of the one that still waits. For one event loop.

    received and dropped count the frames of the socket so far.
    """

    def __init__(self) -> None:
        self.received = 0
        self.dropped = 0
        self._waiting: Frame | None = None
        self._arrived = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Never blocks, never holds more than one frame."""
        self.received += 1
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = Frame(self.received, data)
        self._arrived.set()

    async def take(self) -> Frame:
        """The newest frame, as soon as there is one."""
        while self._waiting is None:
            self._arrived.clear()
            await self._arrived.wait()
        frame, self._waiting = self._waiting, None
        return frame


class LiveConsumer(AsyncWebsocketConsumer):
    """`/ws/live`: each binary message is a frame, the newest one is answered with the JSON of `POST /predict` and more.

    Channels awaits one handler at a time for each socket. So `receive` only puts the frame into a place for one, and a
    task takes it from there: the memory of a socket is bounded however fast it sends. Nothing is stored. A frame that
    cannot be used is answered with `{"error": sentence, "frame": n}` and the socket stays; it is closed when the server
    itself has failed.
    """

    async def connect(self) -> None:
        """Accept, and refuse an address that cannot be used with a sentence."""
        self._newest = NewestFrame()
        self._threshold: float | None = None
        self._model = ""
        self._worker = asyncio.create_task(self._work())
        await self.accept()
        query = dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        try:
            self._threshold = parse_threshold(query)
            self._model = query.get("model", "")
        except RequestError as error:
            await self._send(error_body(str(error)))
            await self.close(_POLICY_VIOLATION)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Put a frame where the worker finds it."""
        if bytes_data is None:
            await self._send(error_body("Send each frame as one binary message: the bytes of a JPEG, PNG or WebP."))
        else:
            self._newest.put(bytes_data)

    async def disconnect(self, code: int) -> None:
        """Stop; a frame that still waits for the network leaves the queue."""
        self._worker.cancel()
        await asyncio.wait({self._worker})

    async def _work(self) -> None:
        # Whoever has left gets no answer; `disconnect` follows.
        with contextlib.suppress(OSError):
            while await self._answer(await self._newest.take()):
                pass
            await self.close(_OUR_FAULT)

    async def _answer(self, frame: Frame) -> bool:
        """Answer one frame; false when the server itself has failed and there is no use in going on."""
        try:
            if len(frame.data) > MAX_FRAME_BYTES:
                raise RequestError(
                    f"The frame has {len(frame.data):,} bytes; at most {MAX_FRAME_BYTES:,} are accepted here. "
                    "Send a smaller one, 640 x 480 pixels say."
                )
            body = self._body(await services.detect_async(self._upload(frame)))
        except Exception as error:  # noqa: BLE001 the outermost edge: whatever it is, the caller gets a sentence
            known = answer_to(error)
            body = error_body(respond_to(error, self.scope["path"])[1])
            alive = known is not None and known.close_code != _OUR_FAULT
        else:
            alive = True
        await self._send({**body, "frame": frame.number, "dropped": self._newest.dropped})
        return alive

    def _upload(self, frame: Frame) -> Upload:
        source = Detection.Source.WEBSOCKET.value
        return Upload(frame.data, source, threshold=self._threshold, store=False, quiet=True, model=self._model)

    def _body(self, answer: Answer) -> dict[str, Any]:
        width, height = answer.size_wh
        timings = {stage: round(ms, 2) for stage, ms in answer.timings}
        return {**prediction_body(answer.objects), "width": width, "height": height, "timings": timings}

    async def _send(self, body: dict[str, Any]) -> None:
        await self.send(text_data=to_json(body).decode())
