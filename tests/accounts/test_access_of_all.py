"""ACCESS=login, by what the site has and not by what somebody remembered: all methods, the admin, all sockets."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from detection.asgi.websocket_origin import OriginCheck
from detector_site.asgi import application
from tests.accounts.test_access import TABLE, WHO, fresh_counts, login, names, targets, uploads, users
from tests.support.accounts import account, token_headers
from tests.support.asgi_calls import http_scope

__all__ = ["fresh_counts", "login", "uploads"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
# What asks nobody, whatever the method: the way in, whether the server lives, and what pages need before a login.
PUBLIC = {"login", "healthz", "readyz", "oip-live", "oip-ready", "language", "script-texts", "web-app", "favicon"}
PUBLIC |= {"roboflow-info", "deepstack-ping", "deepstack-update"}
# What a share link opens to whoever has its secret (`tests/sharing/`).
SHARED = {"shared", "shared-photo", "shared-picture"}
TURNED_AWAY = {302, 401, 403, 404, 405}
# For a body that could not be used whosever it is.
SAID_NOTHING = TURNED_AWAY | {400}
SECRET = "private.jpg"
# How a socket is answered to anonymous, another user, the owner, staff: refused before it is open, told that there is
# nothing and closed, or left open.
REFUSED, NOTHING, OPEN = "refused", "nothing", "open"
SOCKETS = {
    "/ws/predict": (REFUSED, OPEN, OPEN, OPEN),
    "/ws/live": (REFUSED, OPEN, OPEN, OPEN),
    "/ws/batches/{batch}": (REFUSED, NOTHING, OPEN, OPEN),
}


def test_every_address_has_a_name_of_its_own() -> None:
    """A table by names sees each address once; two of one name, or one without, would be seen by nobody."""
    found = list(names(get_resolver().url_patterns))
    assert None not in found
    assert len(found) == len(set(found))


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(TABLE) - PUBLIC - SHARED))
def test_anonymous_gets_nothing_by_any_method(name: str, login: Any, uploads: Any) -> None:
    address = TABLE[name][1].format(**targets(account("owner")))
    answers = {method: Client().generic(method, address) for method in METHODS}
    assert {
        method: answer.status_code for method, answer in answers.items() if answer.status_code not in TURNED_AWAY
    } == {}
    assert {
        method
        for method, answer in answers.items()
        if answer.status_code == 302 and "/login/" not in answer["Location"]
    } == set()
    assert uploads == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(name for name in TABLE if "{" in TABLE[name][1]))
def test_other_user_gets_nothing_by_any_method(name: str, login: Any, uploads: Any) -> None:
    address = TABLE[name][1].format(**targets(account("owner")))
    other = token_headers(account("other"))
    client = Client()
    client.force_login(account("another"))
    for method in METHODS:
        for answer in (client.generic(method, address), Client().generic(method, address, headers=other)):
            told = b"".join(answer) if answer.streaming else answer.content
            # OPTIONS tells what an address can do, not what it holds; a share link shows no name of a file.
            may_answer = method == "OPTIONS" or (name in SHARED and method in {"GET", "HEAD"})
            assert answer.status_code in SAID_NOTHING or (may_answer and answer.status_code == 200), method
            assert SECRET.encode() not in told
    assert uploads == []


def admin_addresses() -> Iterator[str]:
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver) and pattern.app_name == "admin":
            yield from addresses_below(pattern.url_patterns, "/admin/")


def addresses_below(patterns: Any, prefix: str) -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route.replace("<path:object_id>", "1").replace("<id>", "1")
        else:
            yield from addresses_below(pattern.url_patterns, route)


@pytest.mark.django_db
def test_admin_is_for_staff_alone(login: Any) -> None:
    client = Client()
    client.force_login(account("other"))
    found = [
        address for address in admin_addresses() if address not in {reverse("admin:login"), reverse("admin:logout")}
    ]
    assert len(found) > 4 * len(admin.site._registry)
    for address in found:
        for visitor in (client, Client()):
            answer = visitor.get(address)
            assert answer.status_code == 302, address
            assert answer["Location"].startswith(("/admin/login/", "/login/")), address


def origin_check() -> OriginCheck:
    """Return the origin check of the running application."""
    layer: Any = application
    while not hasattr(layer, "application_mapping"):
        layer = layer._app
    found: OriginCheck = layer.application_mapping["websocket"]
    return found


def test_every_socket_has_its_row() -> None:
    assert {path.split("{")[0] for path in SOCKETS} == set(origin_check()._apps)


async def opened(path: str, headers: list[tuple[str, str]]) -> str:
    """How a socket is answered."""
    coming: asyncio.Queue[Any] = asyncio.Queue()
    going: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {**http_scope(path, headers), "type": "websocket", "subprotocols": []}
    running = asyncio.ensure_future(application(scope, coming.get, going.put))
    await coming.put({"type": "websocket.connect"})
    first = await asyncio.wait_for(going.get(), 30)
    if first["type"] == "websocket.close":
        return REFUSED
    # A text is no photo: whoever is open to photos says so, whoever only tells is silent.
    await coming.put({"type": "websocket.receive", "text": "?"})
    await coming.put({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(running, 30)
    told = [going.get_nowait() for _ in range(going.qsize())]
    return NOTHING if any(event["type"] == "websocket.close" for event in told) else OPEN


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SOCKETS)
def test_who_may_open_a_socket(path: str, login: Any) -> None:
    known = users()
    address = path.format(**targets(known["owner"]))
    headers = {who: [*token_headers(user).items()] for who, user in known.items()}
    answers = tuple(asyncio.run(opened(address, headers.get(who, []))) for who in WHO)
    assert answers == SOCKETS[path]


@pytest.mark.django_db(transaction=True)
def test_batch_that_is_not_there_is_told_nothing_of(login: Any) -> None:
    headers = [*token_headers(account("staff", is_staff=True)).items()]
    assert asyncio.run(opened(f"/ws/batches/{uuid4()}", headers)) == NOTHING
