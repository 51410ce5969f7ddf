"""Tokens that users make for their programs."""

import hashlib
import secrets
import string
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token

# Tokens of earlier versions, and of `drf_create_token`, are hexadecimal: these letters tell the two apart.
KEY_PREFIX = "tk"
KEY_LENGTH = 40
_LETTERS = string.ascii_letters + string.digits


def new_key() -> str:
    """Return a random key: 38 letters and digits, more than 220 bits, behind KEY_PREFIX."""
    return KEY_PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(KEY_LENGTH - len(KEY_PREFIX)))


def hash_of(key: str) -> str:
    """Return the hash under which a key is kept. So many random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiToken(models.Model):
    """Token of a user for one program, by its hash: who has read the database cannot use it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    key_sha256 = models.CharField("SHA-256 of the key", max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return self.name


def token_of(key: str) -> Any:
    """Return the row of a token whose user's account is open, with its user: an `ApiToken`, or one of an earlier
    version; None for any other key.
    """
    # Malformed keys are not looked up; PostgreSQL refuses a NUL with an error.
    if len(key) != KEY_LENGTH or not (key.isascii() and key.isalnum()):
        return None
    rows: Any = Token.objects.filter(key=key)
    if key.startswith(KEY_PREFIX):
        rows = ApiToken.objects.filter(key_sha256=hash_of(key))
    return rows.select_related("user").filter(user__is_active=True).first()
