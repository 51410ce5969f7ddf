"""The catalogues in `detection/locale` are complete, and what is compiled is what was written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from detection.conf import BASE_DIR

DOMAINS = ("django", "djangojs")
CATALOGUES = Path("detection", "locale", "ru", "LC_MESSAGES")
RUSSIAN_PLURALS = 3
PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")
CYRILLIC = re.compile("[а-яёА-ЯЁ]")
# Of makemessages in the Makefile, which writes the catalogues.
OPTIONS = ["--no-wrap", "--no-obsolete", "--add-location=file"]
TEXTS = ("manage.py", "detector_site", "detection", "templates", "static")
SAME_IN_RUSSIAN = {"API", "x, y"}


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="ru") if path.suffix == ".po" else read_mo(file)


def messages(catalogue: Catalog) -> dict[tuple[str | None, str], Message]:
    """By context and the English text, without the header."""
    return {(context_of(message), english(message)[0]): message for message in catalogue if message.id}


def context_of(message: Message) -> str | None:
    """Babel leaves it as bytes when it reads a compiled catalogue."""
    return message.context.decode() if isinstance(message.context, bytes) else message.context


def english(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def russian(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


@pytest.fixture(params=DOMAINS)
def domain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalogue(domain: str) -> dict[tuple[str | None, str], Message]:
    return messages(read(BASE_DIR / CATALOGUES / f"{domain}.po"))


def test_every_text_is_translated(catalogue: dict[tuple[str | None, str], Message]) -> None:
    unsure = [text for text, message in catalogue.items() if message.fuzzy]
    missing = [text for text, message in catalogue.items() if not russian(message) or not all(russian(message))]
    latin = [text for text, message in catalogue.items() if not any(map(CYRILLIC.search, russian(message)))]
    assert unsure == []
    assert missing == []
    assert [text for context, text in latin if context != "format of a date" and text not in SAME_IN_RUSSIAN] == []


def test_texts_with_a_number_have_all_three_russian_plurals(catalogue: dict[tuple[str | None, str], Message]) -> None:
    counted = [message for message in catalogue.values() if message.pluralizable]
    assert counted
    assert [message.id for message in counted if len(russian(message)) != RUSSIAN_PLURALS] == []


def test_translations_keep_the_places_of_values(catalogue: dict[tuple[str | None, str], Message]) -> None:
    changed = [
        message.id
        for message in catalogue.values()
        for text in russian(message)
        if set(PLACE.findall(text)) != set(PLACE.findall(english(message)[-1]))
    ]
    assert changed == []


def test_compiled_catalogue_is_the_written_one(domain: str) -> None:
    """A fresh clone has no gettext: what is compiled is kept beside its source (`make messages` writes both)."""
    written, compiled = (read(BASE_DIR / CATALOGUES / f"{domain}.{kind}") for kind in ("po", "mo"))
    assert {text: russian(message) for text, message in messages(compiled).items()} == {
        text: russian(message) for text, message in messages(written).items()
    }


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="no gettext: xgettext is not installed")
def test_catalogue_has_the_texts_of_templates_and_code(domain: str, tmp_path: Path) -> None:
    """`makemessages` finds in a copy of the project what the catalogue has, and nothing else."""
    for name in TEXTS:
        source = BASE_DIR / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    command = [sys.executable, "manage.py", "makemessages", "--locale=ru", f"--domain={domain}", *OPTIONS]
    subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True, timeout=120)
    kept, found = (messages(read(root / CATALOGUES / f"{domain}.po")).keys() for root in (BASE_DIR, tmp_path))
    assert sorted(found - kept, key=str) == []
    assert sorted(kept - found, key=str) == []
