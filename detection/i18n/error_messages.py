"""Sentences of errors in the language of the reader.

Errors are raised, logged, kept and sent to programs in English; pages show them in their own language, by the code of
the sentence and its values.
"""

from django.utils.translation import gettext

from detection.inference.messages import MESSAGES, CodedError, Sentence


def in_language(sentence: str) -> str:
    """Return a sentence in the language of the reader; a plain text, or one without a message, as it is."""
    if not isinstance(sentence, Sentence) or sentence.code not in MESSAGES:
        return sentence
    try:
        return gettext(MESSAGES[sentence.code]) % sentence.params
    except KeyError:
        # It was stored before its message got another value.
        return sentence


def sentence_of(error: CodedError) -> str:
    """Return the sentence of an error in the language of the reader."""
    return in_language(error.sentence)


def translated_messages() -> dict[str, str]:
    """Return all messages with their texts in the language of the reader, for scripts, which get them in English."""
    return {template: gettext(template) for template in MESSAGES.values()}
