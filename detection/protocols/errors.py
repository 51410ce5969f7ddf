"""Shapes of the errors that are answered before a request reaches its view: too large, too slow, no login."""

from typing import Any

from django.urls import Resolver404, resolve

from detection.protocols import PREFIXES
from detection.protocols.view import ProtocolView
from detection.web.asgi_messages import plain_error


def shaped(path: str, status: int, sentence: str) -> tuple[int, dict[str, Any]]:
    """Return the status and body of an error for the clients of an address."""
    view = _view_of(path) if path.startswith(PREFIXES) else None
    return plain_error(path, status, sentence) if view is None else view.shaped(status, sentence)


def _view_of(path: str) -> type[ProtocolView] | None:
    try:
        view = getattr(resolve(path).func, "cls", None)
    except Resolver404:
        return None
    return view if isinstance(view, type) and issubclass(view, ProtocolView) else None
