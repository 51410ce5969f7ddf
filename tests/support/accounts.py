"""Users with an account, and their tokens."""

from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from rest_framework.authtoken.models import Token

PASSWORD = "a long password of the tests"


def account(name: str, **fields: Any) -> Any:
    """Create a user who can log in with PASSWORD."""
    return get_user_model().objects.create(username=name, password=_hashed(), **fields)


def token_headers(user: Any, scheme: str = "Token") -> dict[str, str]:
    """Return the headers of that user's programs."""
    token, _ = Token.objects.get_or_create(user=user)
    return {"Authorization": f"{scheme} {token.key}"}


@lru_cache(maxsize=1)
def _hashed() -> str:
    """Return the password's hash, computed once: a good hash is slow."""
    return make_password(PASSWORD)
