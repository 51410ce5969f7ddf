"""Declaration of settings, each with its variable, its default and its kind of value, and their parser.

A value that does not parse becomes a `Problem`; system checks (`detection/checks.py`) show all problems at once and
stop the start. The 2019 service silently used its default.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

UNUSABLE = "detection.E001"
_SETTING = "setting"


@dataclass(frozen=True, slots=True)
class Problem:
    """Invalid environment variable: the system check's id, the error, what to do."""

    check_id: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of a value.

    parse: converts its text, or raises ValueError. wanted: ends the sentence "Set NAME to ...".
    """

    parse: Callable[[str], Any]
    wanted: str


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    kind: Kind
    is_secret: bool

    def read(self, raw: str) -> Any:
        """Return the value of a text. Raises ValueError."""
        return self.kind.parse(raw)

    def problem(self, raw: str) -> Problem:
        # Values that may hold a password are not repeated in the log.
        given = "set to something" if self.is_secret else repr(raw)
        return Problem(
            UNUSABLE, f"{self.name} is {given}, which cannot be used.", f"Set {self.name} to {self.kind.wanted}."
        )


def setting(name: str, default: Any, kind: Kind, *, is_secret: bool = False) -> Any:
    """Declare a dataclass field that the environment variable `name` sets."""
    return field(default=default, metadata={_SETTING: _Setting(name, kind, is_secret)})


def read_settings(declared: type, environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the fields of a dataclass that are set, by the field's name, and the problems. Empty means unset."""
    values, problems = {}, []
    declared_by_field = {each.name: each.metadata[_SETTING] for each in fields(declared) if _SETTING in each.metadata}
    for field_name, found in declared_by_field.items():
        raw = environ.get(found.name, "")
        try:
            if raw:
                values[field_name] = found.read(raw)
        except ValueError:
            problems.append(found.problem(raw))
    return values, problems
