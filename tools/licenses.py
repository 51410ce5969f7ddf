"""Third-party licences of the packages that the wheel and the image install: `python -m tools.licenses` writes
THIRD_PARTY_LICENSES.txt.

The packages are those of the lists of requirements that apply to this platform; their licences are read from the
environment, which has to have the same versions. A text that several packages share is written once.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD_PARTY_LICENSES.txt"
# What `pip install` of the wheel with its extras for CPUs, and the Dockerfile, bring.
LISTS = (
    "requirements.txt",
    *(f"requirements-{extra}.txt" for extra in ("remote", "tracing", "parquet", "sources", "video")),
)
# In the metadata, or in the package itself: LICENSE, NOTICE, ThirdPartyNotices.txt.
_LICENSE_FILE = re.compile(
    r"^(?:[^/]+\.dist-info/licenses/.+|[^/]+/(?:[^/]*(?:licen[cs]e|copying|notice)[^/]*))$", re.IGNORECASE
)
_CLASSIFIER = re.compile(r"^License :: (?:OSI Approved :: )?(.+)$")
_HEADER = """Third-party licences of Detector site

Written by `make licenses` for the packages of
{lists}
on Linux (x86-64).
The embedded models have their licences beside them (models/*/LICENSE). The image for GPUs adds NVIDIA's CUDA and cuDNN
packages (nvidia-*, cuda-*), which are proprietary: NVIDIA's licences permit use and redistribution with an application.
docs/licenses.md lists what is copyleft.

"""


@dataclass(frozen=True, slots=True)
class Package:
    """Installed package with its licence, as its metadata names it, and the texts of its licence files."""

    name: str
    version: str
    license: str
    texts: tuple[str, ...]


class MissingPackageError(Exception):
    """A package of the lists is not installed here in the version that they name."""


def packages() -> list[Package]:
    """Return all packages of the lists that apply here, by name. Raises MissingPackageError."""
    found = {package.name: package for name in LISTS for package in _packages_of(ROOT / name)}
    return [found[name] for name in sorted(found)]


def notices(listed: list[Package]) -> str:
    """Return the text of THIRD_PARTY_LICENSES.txt."""
    groups: dict[str, list[Package]] = {}
    for package in listed:
        for text in package.texts or ("(The package has no licence file.)",):
            groups.setdefault(text, []).append(package)
    overview = "\n".join(f"{package.name} {package.version}: {package.license}" for package in listed)
    bodies = "\n".join(
        f"{'=' * 100}\n{', '.join(package.name for package in owners)}\n{'-' * 100}\n{text}\n"
        for text, owners in groups.items()
    )
    return f"{_HEADER.format(lists=', '.join(LISTS))}{overview}\n\n{bodies}"


def _packages_of(path: Path) -> Iterator[Package]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        requirement = Requirement(line.rstrip(" \\")) if re.match("[a-z0-9]", line) else None
        if requirement is not None and (requirement.marker is None or requirement.marker.evaluate()):
            yield _package(requirement.name, str(requirement.specifier).removeprefix("=="))


def _package(name: str, version: str) -> Package:
    try:
        found = distribution(name)
    except PackageNotFoundError as error:
        raise MissingPackageError(f"{name} is not installed. Run pip install -r requirements-dev.txt.") from error
    if found.version != version:
        raise MissingPackageError(f"{name} is {found.version} here, {version} in the lists. Install these.")
    return Package(name, version, _license_of(found), tuple(_texts_of(found)))


def _license_of(found: Distribution) -> str:
    metadata = found.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = filter(None, map(_CLASSIFIER.match, metadata.get_all("Classifier") or []))
    if named := ", ".join(match[1] for match in classifiers):
        return named
    stated = metadata.get_all("License") or [""]
    return next(iter(stated[0].strip().splitlines()), "as its text below says")


def _texts_of(found: Distribution) -> Iterator[str]:
    """Yield the licence files in the package's metadata, those of the libraries that it bundles among them."""
    for path in sorted(found.files or [], key=str):
        if _LICENSE_FILE.match(str(path)) and not str(path).endswith((".py", ".pyi", ".pyc", ".js")):
            text = Path(str(path.locate())).read_text(encoding="utf-8", errors="replace")
            yield "\n".join(line.rstrip() for line in text.strip().splitlines())


def main() -> None:
    """Write THIRD_PARTY_LICENSES.txt."""
    try:
        TARGET.write_text(notices(packages()), encoding="utf-8")
    except MissingPackageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
