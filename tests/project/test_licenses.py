"""Licences of what the wheel and the image install: collected, known, and none that forbids commercial use."""

import re

import pytest

from detection.conf import BASE_DIR
from tools.licenses import TARGET, MissingPackageError, Package, notices, packages

PERMISSIVE = re.compile(r"\b(MIT|BSD|0BSD|Apache|PSF|Python Software Foundation|ZPL|Zlib|CC0|MIT-CMU|ISC)\b")
COPYLEFT = re.compile(r"GPL|MPL|General Public|Mozilla|EPL|Eclipse|CDDL|EUPL")


@pytest.fixture(scope="module")
def listed() -> list[Package]:
    try:
        return packages()
    except MissingPackageError as error:
        pytest.skip(f"needs the locked packages: {error}")


def test_collected_licenses_are_those_of_the_locked_packages(listed: list[Package]) -> None:
    # On another platform a package more or less may apply; what it names has to be as locked.
    text = TARGET.read_text(encoding="utf-8")
    assert {f"{package.name} {package.version}: {package.license}" for package in listed} <= set(text.splitlines()), (
        "Run `make licenses`, and commit THIRD_PARTY_LICENSES.txt."
    )
    assert [package.name for package in listed if not all(one in text for one in package.texts)] == []


def test_a_text_that_packages_share_is_written_once() -> None:
    shared = [Package(name, "1.0", "MIT", ("Permission is granted.",)) for name in ("one", "two")]
    assert notices(shared).count("Permission is granted.") == 1
    assert "one, two" in notices(shared)


def test_every_license_is_permissive_or_explained(listed: list[Package]) -> None:
    explained = (BASE_DIR / "docs" / "licenses.md").read_text(encoding="utf-8")
    copyleft = {package.name for package in listed if COPYLEFT.search(package.license)}
    assert "psycopg" in copyleft
    assert [name for name in copyleft if f"`{name}`" not in explained] == []
    others = [package for package in listed if package.name not in copyleft]
    unknown = [one for one in others if not PERMISSIVE.search(f"{one.license} {one.texts[:1]}")]
    assert unknown == []
