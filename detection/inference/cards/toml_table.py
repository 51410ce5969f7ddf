"""Reads a table of a TOML file key by key; errors name the file and the key."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from detection.inference.errors import CheckpointError

_CHANNELS = 3
_LARGEST = 1e9
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Table:
    """One table of a TOML file. Each reader raises CheckpointError when its key is missing (without a default) or
    wrong.
    """

    def __init__(self, path: Path, name: str, values: Mapping[str, Any]) -> None:
        self._path = path
        self._name = name
        self._values = values
        self._read: set[str] = set()

    def wrong(self, key: str, what: str) -> CheckpointError:
        """Return the error for a key."""
        return CheckpointError(f"{self._path}: `{self._name}{key}` {what}.")

    def keys(self) -> Collection[str]:
        """Return all keys of the table."""
        return self._values.keys()

    def everything(self) -> dict[str, Any]:
        """Return all keys with their values, unchecked."""
        self._read.update(self._values)
        return dict(self._values)

    def notes(self) -> dict[str, str | float]:
        """Return all keys with their values: strings, and shares from 0 to 1."""
        for key, value in self._values.items():
            if not isinstance(value, str) and not (_is_number(value) and 0 <= value <= 1):
                raise self.wrong(key, "has to be a text or a number from 0 to 1")
        return self.everything()

    def end(self) -> None:
        """Raise CheckpointError when there are unknown keys, that is, keys that have not been read."""
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise self.wrong(unknown[0], "is not known: remove it, or correct its spelling")

    def table(self, key: str, default: Mapping[str, Any] | None = None) -> "Table":
        value = self._value(key, default, "a table")
        if not isinstance(value, Mapping):
            raise self.wrong(key, "has to be a table")
        return Table(self._path, f"{self._name}{key}.", value)

    def text(self, key: str) -> str:
        """Return a non-empty string."""
        value = self._value(key, None, "a text")
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "has to be a text in quotes")
        return value

    def name(self, key: str) -> str:
        """Return a string that is safe in a URL: letters, digits, dots, hyphens, underscores."""
        value = self.text(key)
        if set(value) - _NAME_CHARACTERS or not value.strip("."):
            raise self.wrong(key, "has to be of letters, digits, dots, hyphens and underscores, and not of dots alone")
        return value

    def text_or_list(self, key: str) -> str | tuple[str, ...]:
        """Return a string, or a list of distinct strings without space around them."""
        value = self._value(key, None, "a file or a list")
        if not isinstance(value, list):
            return self.text(key)
        if not value or not all(isinstance(each, str) and each.strip() for each in value):
            raise self.wrong(key, "has to be a list of names in quotes")
        names = tuple(each.strip() for each in value)
        if len(set(names)) != len(names):
            raise self.wrong(key, "names something twice")
        return names

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """Return one of several texts; 2 is taken for "2"."""
        value = self._value(key, default, f"one of {', '.join(choices)}")
        value = str(value) if type(value) is int else value
        if value not in choices:
            raise self.wrong(key, f"has to be one of {', '.join(choices)}")
        return str(value)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._value(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(key, "has to be true or false")
        return value

    def integer(self, key: str, default: int | None, low: int, high: int) -> int:
        value = self._value(key, default, f"a whole number from {low} to {high}")
        if key in self._values and (type(value) is not int or not low <= value <= high):
            raise self.wrong(key, f"has to be a whole number from {low} to {high}")
        return int(value)

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        value = self._value(key, default, f"a number from {low:g} to {high:g}")
        if not _is_number(value) or not low <= value <= high:
            raise self.wrong(key, f"has to be a number from {low:g} to {high:g}")
        return float(value)

    def three_numbers(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return three numbers, one for each channel."""
        value = self._value(key, default, "a list of three numbers")
        if not isinstance(value, (list, tuple)) or len(value) != _CHANNELS or not all(map(_is_number, value)):
            raise self.wrong(key, f"has to be a list of three numbers, {_LARGEST:g} at most")
        first, second, third = value
        return float(first), float(second), float(third)

    def _value(self, key: str, default: Any, expected: str) -> Any:
        self._read.add(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, f"is missing: {expected}")
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST
