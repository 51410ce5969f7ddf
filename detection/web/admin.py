"""Read-only admin pages."""

from typing import Any

from django.http import HttpRequest


class ReadOnlyAdmin:
    """Admin of rows that can be viewed and deleted, not added or changed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: only the detector adds detections."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the history never changes."""
        return False
