"""Part of a base that one of several machines takes, by a hash of the photos' names."""

import argparse
import re
from dataclasses import dataclass
from hashlib import blake2b

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, from 1 on. All parts together are all photos, each once, in any order of the names."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, name: str) -> bool:
        """Return whether a photo is in this part; a name is always in the same one."""
        if self.count == 1:
            return True
        digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse 3/16. Raises argparse.ArgumentTypeError."""
        match = _FORM.fullmatch(text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise argparse.ArgumentTypeError(f"{text!r} is no part: write 3/16 for the third of sixteen.")
        return cls(int(match[1]), int(match[2]))


ALL = Shard(1, 1)
