"""Reads numbers of a few bits, as the headers of coded pictures hold them."""


class Bits:
    """Bits from the first to the last. Raises EOFError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def skip(self, count: int) -> None:
        """Go on by so many bits."""
        self.number(count)

    def number(self, count: int) -> int:
        """Return the next bits as a number."""
        self._left -= count
        if self._left < 0:
            raise EOFError("the header ends before its end")
        return self._bits >> self._left & (1 << count) - 1

    def exponential(self) -> int:
        """Return the value of an Exp-Golomb code (ITU-T H.265, 9.2)."""
        zeros = 0
        while not self.number(1):
            zeros += 1
        return (1 << zeros) - 1 + self.number(zeros)
