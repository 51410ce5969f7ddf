"""Messages of errors: English templates under stable codes, and sentences that keep the code and the values.

Errors are raised, logged and sent to programs in English. Pages show them in the language of the reader, by code and
values (`detection/i18n/error_messages.py`).
"""

from collections.abc import Mapping
from typing import ClassVar

MESSAGES: dict[str, str] = {}
"""Templates of all messages by code."""


def gettext_noop(text: str) -> str:
    """Mark a text for translation, as Django's function of this name does, without Django."""
    return text


class Sentence(str):
    """English sentence with the code of its message and the values in it.

    code: of a message, or of a class of errors whose texts have no translation.
    """

    __slots__ = ("code", "params")

    code: str
    params: Mapping[str, str]

    def __new__(cls, text: str, code: str = "", params: Mapping[str, str] | None = None) -> "Sentence":
        sentence = super().__new__(cls, text)
        sentence.code, sentence.params = code, params or {}
        return sentence

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, str]]:  # type: ignore[override]  # for copies and pickles
        return str(self), self.code, self.params


class Message:
    """Message under a code, with a template whose placeholders are written `%(name)s`.

    Calling it with the values returns the sentence. Codes are stored, so they stay when a text is improved.
    """

    def __init__(self, code: str, template: str) -> None:
        if MESSAGES.setdefault(code, template) != template:
            raise ValueError(f"There are two messages under the code {code}. Give the new one another code.")
        self._code, self._template = code, template

    def __call__(self, **values: object) -> Sentence:
        params = {name: str(value) for name, value in values.items()}
        return Sentence(self._template % params, self._code, params)


class CodedError(Exception):
    """Base class of errors that callers are told about."""

    default_code: ClassVar[str] = "error"
    """Code of the sentences that were not made by a message."""

    @property
    def sentence(self) -> Sentence:
        """Return the sentence for the caller."""
        given = self.args[0] if self.args else ""
        return given if isinstance(given, Sentence) else Sentence(str(self), self.default_code)

    @property
    def code(self) -> str:
        """Return the stable name of what is wrong."""
        return self.sentence.code

    @property
    def params(self) -> Mapping[str, str]:
        """Return the values of the sentence, as it shows them."""
        return self.sentence.params
