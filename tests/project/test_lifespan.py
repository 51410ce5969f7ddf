"""ASGI's lifespan: the model before the first request, the end after the last."""

import asyncio
import gc
from typing import Any
from unittest import mock

import pytest

from detection.inference.errors import EngineError
from detection.predict import service as predict_service
from detection.serving import service as serving
from detector_site.lifespan import Lifespan


def live(*received: str, meanwhile: Any = None) -> list[dict[str, Any]]:
    """What the application sends after these events."""
    sent: list[dict[str, Any]] = []
    waiting = list(received)

    async def receive() -> Any:
        return {"type": waiting.pop(0)}

    async def send(event: Any) -> None:
        sent.append(event)
        if meanwhile is not None and event["type"] == "lifespan.startup.complete":
            meanwhile()

    scope: Any = {"type": "lifespan"}
    asyncio.run(Lifespan()(scope, receive, send))
    assert waiting == []
    return sent


def test_model_is_loaded_at_the_start_and_stopped_at_the_end() -> None:
    with mock.patch.object(serving, "start") as start, mock.patch.object(predict_service, "stop") as stop:
        sent = live("lifespan.startup", "lifespan.shutdown")
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    assert (start.call_count, stop.call_count) == (1, 1)


def test_what_is_loaded_is_exempt_from_garbage_collection_as_long_as_it_serves() -> None:
    frozen: list[int] = []
    with mock.patch.object(serving, "start"), mock.patch.object(predict_service, "stop"):
        live("lifespan.startup", "lifespan.shutdown", meanwhile=lambda: frozen.append(gc.get_freeze_count()))
    assert frozen[0] > 100_000
    assert gc.get_freeze_count() < frozen[0]


def test_model_that_cannot_be_loaded_ends_the_start_with_its_sentence(caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch.object(serving, "start", side_effect=EngineError("Set MODEL_ENGINE=auto.")):
        sent = live("lifespan.startup")
    assert sent == [{"type": "lifespan.startup.failed", "message": "Set MODEL_ENGINE=auto."}]
    assert "Set MODEL_ENGINE=auto." in caplog.text
