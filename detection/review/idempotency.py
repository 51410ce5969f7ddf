"""Steps sent under a key (`Idempotency-Key`), which may be sent again when their answer was lost.

1. A key belongs to its caller, and to the first step that was recorded under it: another one is refused.
2. Key and step are written in one transaction; a step that was refused leaves no key, and may be mended and sent again.
3. The same step again gives the review as it stood after it, from verdicts, which only grow, and writes nothing.

The form of the header is that of draft-ietf-httpapi-idempotency-key-header-07: a string, quoted or (as Stripe's) bare.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from detection.errors import KeyReusedError, RequestError
from detection.models import Detection, SentStep
from detection.review import messages as review_messages
from detection.review.service import ConflictError, Reviewer, ReviewState, state_after

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
# Visible ASCII without quotes and backslashes, so that a string needs no escapes.
_KEY_PATTERN = rf'("?)([!#-\[\]-~]{{1,{MAX_KEY_LENGTH}}})\1'


@dataclass(frozen=True, slots=True)
class StepKey:
    """Key of a step: digest of caller and key, and of the content; both SHA-256 in hexadecimal digits."""

    digest: str
    content: str


def parse_key(header: str) -> str:
    """Return the key of the header's value. Raises RequestError if it is empty, too long, or not visible ASCII."""
    found = re.fullmatch(_KEY_PATTERN, header.strip())
    if found is None:
        raise RequestError(review_messages.BAD_KEY(length=MAX_KEY_LENGTH))
    return found[2]


def step_key(key: str, reviewer: Reviewer, content: dict[str, Any]) -> StepKey:
    """Return the key of a step. content: everything that was sent, as JSON; callers without a login are one caller."""
    return StepKey(_digest([reviewer.user_id, key]), _digest(content))


def take_once(key: StepKey | None, detection: Detection, take: Callable[[], ReviewState]) -> tuple[ReviewState, bool]:
    """Take a step unless it was taken under this key before; return the review after it, and whether it was.

    take: records the step. Raises KeyReusedError, and what `take` raises; then nothing was written.
    """
    if key is None:
        return take(), False
    if (earlier := _earlier(key)) is not None:
        return earlier, True
    try:
        with transaction.atomic():
            state = take()
            SentStep.objects.create(digest=key.digest, content=key.content, detection=detection, step=state.version)
    except (ConflictError, IntegrityError):
        # The same step may have been sent twice at the same time.
        if (earlier := _earlier(key)) is None:
            raise
        return earlier, True
    return state, False


def _earlier(key: StepKey) -> ReviewState | None:
    sent = SentStep.objects.filter(digest=key.digest).first()
    if sent is None:
        return None
    if sent.content != key.content:
        raise KeyReusedError
    return state_after(sent.detection_id, sent.step)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
