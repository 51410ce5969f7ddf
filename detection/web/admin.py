"""What the admin shows and never changes."""

from typing import Any

from django.http import HttpRequest


class ReadOnlyAdmin:
    """What was detected and said stays as it was: it can be looked at and deleted, not added or changed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Detections come from the detector only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History does not change."""
        return False
