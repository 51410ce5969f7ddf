"""Memory of pictures that were drawn, the ones not asked for longest making room."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

MOST_BYTES = 64_000_000
# A larger picture would take the place of many.
MOST_PICTURE_BYTES = 8_000_000


class PictureCache:
    """Least recently used cache of encoded pictures, bounded in bytes; for all threads. None is no key."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_picture_bytes: int = MOST_PICTURE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._most_picture_bytes = most_picture_bytes
        self._pictures: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.held_bytes = 0

    def get(self, key: Hashable | None) -> bytes | None:
        """Return a picture that is kept."""
        with self._lock:
            found = self._pictures.get(key)
            if found is not None:
                self._pictures.move_to_end(key)
            return found

    def put(self, key: Hashable | None, picture: bytes) -> None:
        """Keep a picture, in place of older ones where need be."""
        if key is None or len(picture) > self._most_picture_bytes:
            return
        with self._lock:
            self.held_bytes += len(picture) - len(self._pictures.pop(key, b""))
            self._pictures[key] = picture
            while self.held_bytes > self._most_bytes:
                self.held_bytes -= len(self._pictures.popitem(last=False)[1])
