"""Id of the current request, from its arrival to the answer, in every line of the log."""

import re
import uuid
from contextvars import ContextVar

from detection.web.callers import Binding

HEADER = b"x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id of the current request, also in the threads that work for it; "" outside of any."""
    return _current.get()


def valid_or_new(given: str | None) -> str:
    """Return the caller's id if it is short and plain (it goes to the log and back into a header), else a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid.uuid4().hex


def bound(request_id: str) -> Binding[str]:
    """Bind the code of a `with` block to that request."""
    return Binding(_current, request_id)
