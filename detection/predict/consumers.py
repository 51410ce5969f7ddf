"""WebSocket consumer of predictions: one connection, many photos, for programs that send one after the other."""

from dataclasses import replace
from typing import cast

from detection.accounts import throttling
from detection.accounts.access import ANYBODY, Caller
from detection.asgi.consumer import JsonConsumer
from detection.errors import CloseCode, RequestError, close_code_of, error_body, respond_to
from detection.models import Detection
from detection.predict import service as predict_service
from detection.predict.request import upload_from
from detection.predict.service import Upload
from detection.web.asgi_messages import address_of
from detection.web.query import decode_query
from detection.web.serializers import prediction_body


class PredictConsumer(JsonConsumer):
    """Consumer of `/ws/predict`: each binary message is a photo, each response the JSON of `POST /predict` and the
    detection's id.

    `threshold` and `store` in the address count for the whole connection. An unusable photo is answered with
    `{"error": sentence}` and the connection stays open; a failure of the server closes it.
    """

    async def connect(self) -> None:
        """Accept, and refuse an invalid address with an error message."""
        self.caller = cast("Caller", self.scope.get("caller", ANYBODY))
        self.query = decode_query(self.scope["query_string"])
        await self.accept()
        try:
            self._upload(b"")
        except RequestError as error:
            await self.send_body(error_body(str(error)))
            await self.close(CloseCode.POLICY_VIOLATION)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Detect in one photo and send its objects."""
        if bytes_data is None:
            await self.send_body(error_body("Send a photo as one binary message."))
            return
        try:
            throttling.take(self.caller, address_of(self.scope))
            answer = await predict_service.detect_async(self._upload(bytes_data))
        except Exception as error:  # noqa: BLE001 the outermost edge: whatever it is, the caller gets a sentence
            await self._fail(error)
            return
        detection_id = None if answer.detection_uuid is None else str(answer.detection_uuid)
        await self.send_body({**prediction_body(answer.objects), "detectionId": detection_id})

    async def _fail(self, error: Exception) -> None:
        _, sentence = respond_to(error, self.scope["path"])
        await self.send_body(error_body(sentence))
        if close_code_of(error) is CloseCode.INTERNAL_ERROR:
            await self.close(CloseCode.INTERNAL_ERROR)

    def _upload(self, data: bytes) -> Upload:
        upload = upload_from(data, {**self.query, "source": Detection.Source.WEBSOCKET.value}, "")
        return replace(upload, owner_id=self.caller.user_id)
