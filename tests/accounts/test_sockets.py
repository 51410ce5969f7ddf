"""Sockets end with the login, the token or the account of their caller."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from rest_framework.authtoken.models import Token

from detection.accounts.access import caller_of
from detection.accounts.tokens import tokens
from detection.asgi import consumer
from detection.batches.consumers import BATCH_SOCKETS, BatchConsumer
from detection.models import Batch
from detection.predict.consumers import PredictConsumer
from detection.predict.live import LiveConsumer
from tests.support.accounts import account
from tests.support.sockets import ConsumerSocket

pytestmark = pytest.mark.django_db(transaction=True)


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def delete_token(user: Any) -> None:
    Token.objects.filter(user=user).delete()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch, limits: Callable[..., Any]) -> None:
    monkeypatch.setattr(consumer, "_CHECK_EVERY_S", 0.05)
    monkeypatch.setattr("detection.accounts.tokens.REMEMBERED_S", 0.0)
    tokens._known.clear()
    limits(access="login")


@pytest.mark.parametrize(
    "end", [deactivate, lambda user: user.delete(), delete_token], ids=["deactivated", "deleted", "token deleted"]
)
@pytest.mark.parametrize("of", [PredictConsumer, LiveConsumer, BatchConsumer], ids=lambda kind: kind.__name__)
def test_socket_ends_with_its_caller(of: Any, end: Callable[[Any], None]) -> None:
    user = account("anna")
    token = Token.objects.create(user=user)
    batch = Batch.objects.create(name="b", threshold=0.5, owner=user)
    headers = [(b"authorization", f"Token {token.key}".encode())]
    caller = caller_of(user)

    async def talk() -> tuple[dict[str, Any], dict[str, Any]]:
        path = f"{BATCH_SOCKETS}{batch.uuid}"
        async with ConsumerSocket(of.as_asgi(), path, headers=headers, caller=caller) as socket:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.message(), 0.3)
            await database_sync_to_async(end)(user)
            return await socket.answer(), await socket.message()

    body, close = asyncio.run(talk())
    assert body["error"].startswith("You are logged out, or your token or account was closed.")
    assert (close["type"], close["code"]) == ("websocket.close", 1008)


def test_socket_of_a_page_ends_with_its_login(client: Client) -> None:
    user = account("anna")
    client.force_login(user)
    cookie = client.cookies["sessionid"].value
    headers = [(b"cookie", f"sessionid={cookie}".encode())]

    async def talk() -> dict[str, Any]:
        async with ConsumerSocket(
            PredictConsumer.as_asgi(), "/ws/predict", headers=headers, caller=caller_of(user)
        ) as socket:
            await database_sync_to_async(client.logout)()
            await socket.answer()
            return await socket.message()

    assert asyncio.run(talk())["code"] == 1008
