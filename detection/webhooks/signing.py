"""Signatures of webhooks, in the form of Standard Webhooks 1.0: https://www.standardwebhooks.com."""

import base64
import binascii
import hashlib
import hmac

from detection.models.webhooks import SECRET_PREFIX

_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """Return the key of a secret, whsec_ and base64. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(secret) from error
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(secret)
    return key


def headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a message. timestamp: of this attempt, seconds since 1970. Raises ValueError."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode("ascii")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
