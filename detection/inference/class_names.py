"""Names of a model's classes: how they are read, and which ones a class may have."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from detection.inference.errors import CheckpointError
from detection.inference.text_files import TextError, read_lines

MAX_LENGTH = 100
# The category numbers of COCO that are in use, out of 1 to 90 (instances_val2017.json).
COCO_CATEGORY_IDS = tuple(each for each in range(1, 91) if each not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
# Control characters, line and paragraph separators, halves of characters.
_REFUSED_CATEGORIES = frozenset({"Cc", "Zl", "Zp", "Cs"})
# Characters that turn the direction of what follows. Marks (U+200E, U+200F, U+061C) and joiners (U+200C, U+200D) are
# ordinary parts of Arabic, Persian and Hebrew words and are not among them.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_plain(character: str) -> bool:
    """Return whether a character may stand in a name: it breaks no line, controls nothing and turns nothing around."""
    return character not in TURNING and unicodedata.category(character) not in _REFUSED_CATEGORIES


def require_usable(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names themselves, exactly. Raises ValueError with a clause that names the first one to change.

    A name is one line in exports and in the database; one that would have to be changed there would be another class.
    """
    for number, name in enumerate(names, 1):
        wrong = next((character for character in name if not is_plain(character)), None)
        if wrong is not None:
            called = unicodedata.name(wrong, "a control character").lower()
            raise ValueError(
                f"class {number} is {name[:MAX_LENGTH]!a}, with U+{ord(wrong):04X} ({called}) in it: a name is "
                "one line of text. Remove that character"
            )
        if len(name) > MAX_LENGTH:
            raise ValueError(f"class {number} has a name of {len(name):,} characters: shorten it to {MAX_LENGTH}")
    return tuple(names)


def read_classes(path: Path) -> tuple[str, ...]:
    """Read the class names, one a line; raises CheckpointError when there are none, or one cannot be used."""
    try:
        classes = require_usable(read_lines(path))
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from None
    except TextError as error:
        raise _unreadable(path, str(error)) from None
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}.") from None
    if not classes:
        raise CheckpointError(f"{path} is empty: write the names of the model's classes there, one a line.")
    return classes


def _unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read ({reason}): write the names of the model's classes there, one a line."
    )
