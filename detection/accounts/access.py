"""Access control: everything for everybody (ACCESS=open), or each user's own (ACCESS=login).

Pages ask for a login, the API for a token or a login, sockets for either. Staff see everything; rows created while the
server was open have no owner, and only staff see them later.
"""

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase

from detection.accounts.tokens import tokens
from detection.conf.current import config
from detection.web.asgi_messages import header

M = TypeVar("M", bound=Model)
# Schemes that a token may follow in the header `Authorization`; the second is that of RFC 6750, which most clients use.
TOKEN_KEYWORDS = ("token", "bearer")
# Subprotocols that a browser's script offers with its token, for it cannot set headers: `["detector", "token.KEY"]`.
SUBPROTOCOL = "detector"
_TOKEN_SUBPROTOCOL = "token."  # noqa: S105 the start of a name


class Caller(NamedTuple):
    """Sender of a request; user_id is None where no login is required."""

    user_id: int | None = None
    is_staff: bool = False


ANYBODY = Caller()


def caller_of(user: Any) -> Caller:
    """Return the caller of a request of Django or DRF, from its `user`."""
    if not config().needs_login or user is None:
        return ANYBODY
    return Caller(user.pk, bool(user.is_staff))


def visible_to(caller: Caller, rows: QuerySet[M], owner: str = "owner") -> QuerySet[M]:
    """Return those of the rows that the caller may see. owner: the lookup from a row to the id of its owner."""
    if not config().needs_login or caller.is_staff:
        return rows
    return rows.none() if caller.user_id is None else rows.filter(**{owner: caller.user_id})


def limits(caller: Caller) -> int | None:
    """Return the user whose rows alone `visible_to` leaves; 0 where it leaves all."""
    return None if not config().needs_login or caller.is_staff else caller.user_id or 0


class LoginMiddleware(LoginRequiredMiddleware):
    """Django's middleware, where ACCESS=login: each view requires a login unless it is marked otherwise.

    Views of the API are marked, and authenticate in their own way (`detection/accounts/authentication.py`).
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        """Redirect to the login page."""
        if not config().needs_login:
            return None
        answer: HttpResponseBase | None = super().process_view(request, view_func, view_args, view_kwargs)
        return answer


async def caller_by_token(scope: Any) -> Caller | None:
    """Return the sender of `Authorization: Token ...`, or `Bearer ...`; None without a valid token."""
    keyword, _, key = (header(scope, b"authorization") or "").partition(" ")
    return await _caller_of_key(key.strip()) if keyword.lower() in TOKEN_KEYWORDS else None


async def caller_of_request(scope: Any) -> Caller | None:
    """Return the caller of a request, by token or by the login of a page; None for an unknown one."""
    return await caller_by_token(scope) or await _caller_of_session(header(scope, b"cookie") or "")


async def caller_of_socket(scope: Any) -> Caller | None:
    """Return the caller of a WebSocket: by token (in the header, or as a subprotocol), or by the login of a page.

    Returns None for an unknown caller if ACCESS=login.
    """
    if not config().needs_login:
        return ANYBODY
    for name in scope.get("subprotocols", ()):
        if name.startswith(_TOKEN_SUBPROTOCOL):
            return await _caller_of_key(name.removeprefix(_TOKEN_SUBPROTOCOL))
    return await caller_of_request(scope)


async def _caller_of_key(key: str) -> Caller | None:
    known = await tokens.holder(key)
    return None if known is None else Caller(*known)


async def _caller_of_session(cookies: str) -> Caller | None:
    try:
        session = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return None if session is None else await _holder_of_session(session.value)


@database_sync_to_async
def _holder_of_session(key: str) -> Caller | None:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return caller_of(user) if user.is_authenticated else None
