"""Authentication of the API: a token, or the login of a page of this site."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from detection.accounts import throttling
from detection.accounts.access import TOKEN_KEYWORDS, caller_of
from detection.conf.current import config
from detection.errors import BadTokenError, ForeignSiteError, LoginNeededError
from detection.models import token_of
from detection.web.origin import SAFE_METHODS, Sender, sender_of

# DRF's views import this module: they are not loaded yet when it is read.
if TYPE_CHECKING:
    from rest_framework.views import APIView

_UNKNOWN = str(LoginNeededError())
_BAD_TOKEN = str(BadTokenError())


class _Token(TokenAuthentication):
    def __init__(self, keyword: str) -> None:
        self.keyword = keyword

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except AuthenticationFailed as error:
            raise AuthenticationFailed(_BAD_TOKEN) from error

    def authenticate_credentials(self, key: str) -> Any:
        token = token_of(key)
        if token is None:
            raise AuthenticationFailed(_BAD_TOKEN)
        return token.user, token


class _Session(SessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        """Refuse requests that a page of another site sends with a visitor's login. Browsers send their origin (Fetch
        Metadata), and the cookie itself is SameSite=Lax; so pages need no hidden field to send a photo.
        """
        if request.method not in SAFE_METHODS and not _is_of_this_site(request):
            raise ForeignSiteError


def _is_of_this_site(request: Request) -> bool:
    own_origins = {f"{request.scheme}://{request.get_host()}".lower(), *settings.CSRF_TRUSTED_ORIGINS}
    sender = sender_of(request.headers.get("Origin"), own_origins, request.headers.get("Sec-Fetch-Site"))
    return sender is Sender.OWN


class CallerAuthentication(BaseAuthentication):
    """Authentication by token, then by login; accepts everybody where ACCESS=open."""

    _ways = (*map(_Token, TOKEN_KEYWORDS), _Session())

    def authenticate(self, request: Request) -> Any:
        """Return the user and the token, or None."""
        if not config().needs_login:
            return None
        return next(filter(None, (way.authenticate(request) for way in self._ways)), None)

    def authenticate_header(self, _request: Request) -> str:
        """Return the WWW-Authenticate header of a 401."""
        return "Token"


class CallerPermission(BasePermission):
    """Permission for known callers, or for everybody where ACCESS=open."""

    def has_permission(self, request: Request, _view: "APIView") -> bool:
        """Raise NotAuthenticated for an unknown caller."""
        if config().needs_login and not (request.user and request.user.is_authenticated):
            raise NotAuthenticated(_UNKNOWN)
        return True


class CallerThrottle(BaseThrottle):
    """Throttle by THROTTLE."""

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        """Return True, or raise ThrottledError."""
        throttling.take(caller_of(request.user), request.META.get("REMOTE_ADDR", ""))
        return True
