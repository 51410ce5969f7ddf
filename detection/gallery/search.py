"""Parses the text of the search field: "dog and not cat", a part of a name, a day, "reviewed", "model:NAME"."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from django.utils.translation import pgettext

from detection.i18n.class_titles import class_title
from detection.models import Detection

Filters = list[tuple[str, str]]
"""Parameters of `DetectionFilter`, in the order of the text."""

_TOKEN = re.compile(r'(?P<minus>-(?=[^\s-]))?(?:"(?P<quoted>[^"]*)"?|(?P<word>\S+))')
_DAY = r"(?:\d{4}-\d{2}-\d{2})"
_DAYS = re.compile(rf"(?P<first>{_DAY})?(?P<to>\.\.)?(?P<last>{_DAY})?")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_OTHER_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_PERCENT = re.compile(r"(?P<sign>[<>]?)=?(?P<percent>\d{1,2}(?:[.,]\d+)?|100)%")
_MOST_WORDS = 4
_DECEMBER = 12


class Token(NamedTuple):
    """Word of the text. is_plain: it stood in quotes, so it is a part of a name whatever it says."""

    text: str
    is_plain: bool
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words that mean something: classes by their titles and their own names, models, and the language's own words."""

    classes: Mapping[str, str]
    models: frozenset[str] = frozenset()
    today: date = field(default_factory=date.today)

    @classmethod
    def of(cls, class_names: Iterable[str], models: Iterable[str], today: date) -> "Vocabulary":
        """Create it in the language of the page; in English a plural means its class, too."""
        classes: dict[str, str] = {}
        for name in class_names:
            classes |= {name.casefold(): name, class_title(name).casefold(): name}
        for title, name in list(classes.items()):
            classes.setdefault(f"{title}s", name)
        return cls(classes, frozenset(models), today)


def parse(text: str, words: Vocabulary) -> Filters:
    """Return the filters that a text stands for; what is no known word is a part of the photo's name."""
    tokens = list(_tokens(text))
    found: Filters = []
    name: list[str] = []
    place, is_negated = 0, False
    while place < len(tokens):
        token = tokens[place]
        count, meant = _meaning(tokens[place:], words, is_negated or token.is_negated)
        if not token.is_plain and token.text.casefold() in _language_words("not"):
            is_negated = True
        elif meant:
            found += meant
            is_negated = False
        elif token.is_plain or token.text.casefold() not in _language_words("and"):
            name.append(token.text)
            is_negated = False
        place += count
    return [*found, ("name", " ".join(name))] if name else found


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        quoted = match["quoted"]
        if word := (match["word"] if quoted is None else quoted):
            yield Token(word, quoted is not None, match["minus"] is not None)


def _meaning(tokens: Sequence[Token], words: Vocabulary, is_negated: bool) -> tuple[int, Filters]:
    """Return how many of the tokens mean something together, and what."""
    first = tokens[0]
    if first.is_plain:
        return 1, []
    for count in range(min(_MOST_WORDS, len(tokens)), 0, -1):
        together = " ".join(token.text for token in tokens[:count]).casefold()
        if together in words.classes:
            return count, [("not_class" if is_negated else "class", words.classes[together])]
    text = first.text
    return 1, _of_review(text, is_negated) or _of_key(text, words) or _of_days(text, words.today) or _of_percent(text)


def _of_review(text: str, is_negated: bool) -> Filters:
    folded = text.casefold()
    if folded in _language_words("reviewed"):
        return [("reviewed", "0" if is_negated else "1")]
    for verdict in ("rejected", "changed", "added"):
        if folded in _language_words(verdict):
            return [("verdict", verdict)]
    return []


def _of_key(text: str, words: Vocabulary) -> Filters:
    if text in words.models or text.partition("@")[0] in words.models:
        return [("model", text)]
    key, colon, value = text.partition(":")
    known = {"model": True, "name": True, "engine": True, "source": value in Detection.Source.values}
    return [(key, value)] if colon and value and known.get(key) else []


def _of_days(text: str, today: date) -> Filters:
    folded = text.casefold()
    for ago, word in enumerate(("today", "yesterday")):
        if folded in _language_words(word):
            return _between(today - timedelta(days=ago), today - timedelta(days=ago))
    try:
        if match := _MONTH.fullmatch(text):
            year, month = int(match[1]), int(match[2])
            after = date(year + month // _DECEMBER, month % _DECEMBER + 1, 1)
            return _between(date(year, month, 1), after - timedelta(days=1))
        if match := _OTHER_DAY.fullmatch(text):
            day = date(int(match[3]), int(match[2]), int(match[1]))
            return _between(day, day)
        if (match := _DAYS.fullmatch(text)) and (match["first"] or match["last"]):
            first = match["first"] and date.fromisoformat(match["first"])
            last = match["last"] and date.fromisoformat(match["last"])
            return _between(first or None, last or (None if match["to"] else first) or None)
    except ValueError:
        pass
    return []


def _between(first: date | None, last: date | None) -> Filters:
    return [(name, str(day)) for name, day in (("date_from", first), ("date_to", last)) if day]


def _of_percent(text: str) -> Filters:
    match = _PERCENT.fullmatch(text)
    if match is None:
        return []
    share = f"{float(match['percent'].replace(',', '.')) / 100:g}"
    return [("max_probability" if match["sign"] == "<" else "min_probability", share)]


def _language_words(word: str) -> frozenset[str]:
    """Return the words of the page's language for one of ours, and the English ones."""
    english, translated = {
        # Translators: words that people type into the search field, in small letters, with commas between them.
        "and": ("and,&,+", pgettext("words of a search", "and,&,+")),
        "not": ("not,without,no", pgettext("words of a search", "not,without,no")),
        "reviewed": ("reviewed", pgettext("words of a search", "reviewed")),
        "rejected": ("rejected", pgettext("words of a search", "rejected")),
        "changed": ("changed", pgettext("words of a search", "changed")),
        "added": ("added", pgettext("words of a search", "added")),
        "today": ("today", pgettext("words of a search", "today")),
        "yesterday": ("yesterday", pgettext("words of a search", "yesterday")),
    }[word]
    return frozenset(f"{english},{translated}".split(","))
